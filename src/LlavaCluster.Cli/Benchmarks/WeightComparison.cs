using LlavaCluster.Model;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Benchmarks;

/// <summary>
/// What a weight format costs in quality: the language model's next-token distributions over a text, against those of a reference format. Owns what it
/// loads; one thread.
/// </summary>
internal sealed class WeightComparison : IDisposable
{
    private const int BlockSize = 16;

    private readonly Candidate _reference;
    private readonly List<Candidate> _others;
    private readonly KernelTeam _team;

    /// <param name="folder">The model.</param>
    /// <param name="reference">What the others are compared with.</param>
    /// <param name="others">At least one.</param>
    /// <param name="threads">That compute.</param>
    public WeightComparison(string folder, WeightFormat reference, IEnumerable<WeightFormat> others, int threads)
    {
        _team = new KernelTeam(threads);
        _reference = new Candidate(folder, reference, _team);
        _others = [.. others.Select(format => new Candidate(folder, format, _team))];
    }

    /// <summary>Tokens of one window of text; each is seen with what stands before it in its window.</summary>
    public const int Window = 256;

    /// <summary>One row a format, the reference's first.</summary>
    /// <param name="ids">Tokens of a text; whole windows of it count.</param>
    public IReadOnlyList<WeightFigures> Run(IReadOnlyList<int> ids)
    {
        for (var start = 0; start + Window <= ids.Count; start += Window)
        {
            var window = ids.Skip(start).Take(Window).Select(id => (long)id).ToArray();
            var expected = _reference.Score(window);
            _reference.Add(window, expected, expected);
            foreach (var other in _others)
            {
                other.Add(window, expected, other.Score(window));
            }
        }

        return [_reference.Figures, .. _others.Select(other => other.Figures)];
    }

    public void Dispose()
    {
        _others.ForEach(other => other.Dispose());
        _reference.Dispose();
        _team.Dispose();
    }

    private sealed class Candidate : IDisposable
    {
        private readonly WeightFormat _format;
        private readonly LlavaModel _model;
        private readonly KvCache _cache;
        private readonly IPagedDecoder _decoder;
        private readonly DecoderStep _step = new(BlockSize);
        private readonly float[] _logits;
        private double _surprise, _divergence;
        private long _predicted, _agreed;

        public Candidate(string folder, WeightFormat format, KernelTeam team)
        {
            _format = format;
            _model = LlavaModel.Load(folder, new CheckpointOptions(), Serving.WeightNames.TypeOf(format));
            _cache = new KvCache(_model.Config.Text, Window / BlockSize, BlockSize, _model.Network.Dtype, _model.Network.Device);
            _decoder = PagedDecoder.For(_model.Network, _cache, team, Window, format);
            _logits = new float[Window * _model.Config.Text.VocabSize];
        }

        public WeightFigures Figures => new(_format, _decoder.WeightBytes, _predicted, Math.Exp(_surprise / _predicted), _agreed / (double)_predicted, _divergence / _predicted);

        // [Window, vocabulary]
        public float[] Score(long[] window)
        {
            _step.Clear();
            _step.Batch.Add([.. Enumerable.Range(0, Window / BlockSize)], 0, Window);
            _step.Ids.AddRange(window);
            _step.Sampled.AddRange(Enumerable.Range(0, Window).Select(i => (long)i));
            _decoder.Decode(_step, _logits);
            return _logits;
        }

        public void Add(long[] window, float[] expected, float[] scored)
        {
            var vocabulary = _model.Config.Text.VocabSize;
            for (var i = 0; i + 1 < Window; i++)
            {
                var row = scored.AsSpan(i * vocabulary, vocabulary);
                var wanted = expected.AsSpan(i * vocabulary, vocabulary);
                var (total, wantedTotal) = (LogTotal(row), LogTotal(wanted));
                _surprise += total - row[(int)window[i + 1]];
                _divergence += Divergence(wanted, wantedTotal, row, total);
                _agreed += Highest(row) == Highest(wanted) ? 1 : 0;
                _predicted++;
            }
        }

        public void Dispose()
        {
            _decoder.Dispose();
            _cache.Dispose();
            _model.Dispose();
        }

        private static double LogTotal(ReadOnlySpan<float> logits)
        {
            var highest = (double)logits[Highest(logits)];
            var total = 0.0;
            foreach (var logit in logits)
            {
                total += Math.Exp(logit - highest);
            }

            return highest + Math.Log(total);
        }

        private static double Divergence(ReadOnlySpan<float> wanted, double wantedTotal, ReadOnlySpan<float> row, double total)
        {
            var sum = 0.0;
            for (var i = 0; i < row.Length; i++)
            {
                var share = wanted[i] - wantedTotal;
                sum += Math.Exp(share) * (share - (row[i] - total));
            }

            return sum;
        }

        private static int Highest(ReadOnlySpan<float> logits)
        {
            var best = 0;
            for (var i = 1; i < logits.Length; i++)
            {
                best = logits[i] > logits[best] ? i : best;
            }

            return best;
        }
    }
}

/// <param name="Bytes">Of weights that one step reads.</param>
/// <param name="Tokens">Predicted.</param>
/// <param name="Agreement">Share of tokens whose most likely next one is the reference's.</param>
/// <param name="Divergence">Mean Kullback-Leibler divergence of the reference's distribution from this one, in nats.</param>
internal readonly record struct WeightFigures(WeightFormat Format, long Bytes, long Tokens, double Perplexity, double Agreement, double Divergence);
