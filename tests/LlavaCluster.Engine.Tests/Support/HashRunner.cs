using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Engine.Tests.Support;

/// <summary>
/// A language model without tensors: the state of a position is a hash of the state before it, read back through the block table, and of the token or image
/// feature there. A wrong block, a stale feature or a token computed twice changes every later token.
/// </summary>
internal sealed class HashRunner(EngineOptions options, int vocabulary) : IModelRunner
{
    private readonly ulong[] _states = new ulong[options.KvBlocks * options.BlockSize];
    private readonly Dictionary<int, ulong> _features = [];
    private readonly float[] _scores = new float[vocabulary];
    private readonly Dictionary<int, HashAdapter> _adapters = [];
    private (int Slot, int Stages) _part;

    public int ImageSlots => _features.Count;

    public int Encoded { get; private set; }

    public int Parts { get; private set; }

    /// <summary>Parts that did not go on where the one before ended. Counted and not thrown: the engine would take an exception for a fault of the device.</summary>
    public int PartsOutOfOrder { get; private set; }

    public int LargestStep { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Makes any batch throw that holds this token at a known position it computes.</summary>
    public int? PoisonToken { get; set; }

    /// <summary>Lets most tokens follow from the one before them alone, so that texts repeat themselves.</summary>
    public bool Repeats { get; set; }

    /// <summary>Makes logits NaN for rows that end in this token.</summary>
    public int? NanToken { get; set; }

    /// <summary>Runs at the start of everything that would be computed on a device; throws where the device is lost.</summary>
    public Action? OnDevice { get; set; }

    /// <summary>Is told of work as it is done: tokens of rows, stages of images.</summary>
    public Action<int>? OnWork { get; set; }

    /// <summary>Runs where features are dropped, at the start of every step.</summary>
    public Action? OnDrop { get; set; }

    public void DropImages(IReadOnlyList<int> slots)
    {
        OnDrop?.Invoke();
        foreach (var slot in slots)
        {
            _features.Remove(slot);
        }
    }

    public int EncodingStages => 3;

    public void EncodePart(ImageWork image, int first, int count)
    {
        OnDevice?.Invoke();
        _part = first == 0 ? (image.Slot, 0) : _part;
        PartsOutOfOrder += _part == (image.Slot, first) ? 0 : 1;
        _part = (image.Slot, first + count);
        Parts++;
        OnWork?.Invoke(count);
        if (first + count == EncodingStages)
        {
            Encode([image]);
        }
    }

    public void Encode(IReadOnlyList<ImageWork> images)
    {
        OnDevice?.Invoke();
        foreach (var image in images)
        {
            if (image.Pixels[0] < 0)
            {
                throw new InvalidDataException("negative pixel");
            }
        }

        foreach (var image in images)
        {
            Encoded++;
            _features[image.Slot] = image.Adapter == AdapterPin.None ? Mix(77, (ulong)image.Pixels[0]) : Mix(Mix(77, (ulong)image.Pixels[0]), _adapters[image.Adapter].Number);
        }
    }

    /// <summary>Makes what <see cref="PrepareAdapter"/> gives.</summary>
    public Func<HashAdapter> Prepare { get; set; } = () => new HashAdapter(1, 1);

    /// <summary>Thrown where an adapter is added.</summary>
    public Exception? AddFault { get; set; }

    public int Adapters => _adapters.Count;

    public IPreparedAdapter PrepareAdapter(LoraWeights weights)
    {
        weights.Dispose();
        return Prepare();
    }

    public void AddAdapter(int slot, IPreparedAdapter adapter)
    {
        if (AddFault is not null)
        {
            throw AddFault;
        }

        _adapters.Add(slot, (HashAdapter)adapter);
    }

    public void DropAdapter(int slot)
    {
        _adapters[slot].Dispose();
        _adapters.Remove(slot);
    }

    /// <summary>Lets it pick what may be picked, as a device far from the host does.</summary>
    public bool Picks { get; set; }

    public void Forward(ReadOnlySpan<StepRow> rows, Span<float> logits, Span<int> picks)
    {
        OnDevice?.Invoke();
        var total = 0;
        foreach (var row in rows)
        {
            if (PoisonToken is { } poison && row.Sequence.Tokens.Slice(row.Start, row.Count).Contains(poison))
            {
                throw new InvalidOperationException("poisoned");
            }

            total += row.Tokens;
        }

        LargestStep = Math.Max(LargestStep, total);
        OnWork?.Invoke(total);
        foreach (var row in rows)
        {
            var state = row.Start == 0 ? 1 : StateOf(row.Sequence, row.Start - 1);
            var adapter = row.Sequence.Adapter == AdapterPin.None ? 0 : _adapters[row.Sequence.Adapter].Number;
            for (var i = 0; i < row.Tokens; i++)
            {
                var token = i < row.Count ? row.Sequence.Tokens[row.Start + i] : row.Sequence.Guess[i - row.Count];
                StateOf(row.Sequence, row.Start + i) = state = Next(state + adapter, row.Sequence, row.Start + i, token);
                if (!row.Samples || i < row.Count - 1)
                {
                    continue;
                }

                if (Picks && row.Sequence.Draw != DrawKind.Sampler)
                {
                    Score(state, token, _scores);
                    picks[0] = Pick(row.Sequence.Draw);
                    picks = picks[1..];
                }
                else
                {
                    Score(state, token, logits[..vocabulary]);
                    logits = logits[vocabulary..];
                }
            }
        }
    }

    public void Probe() => OnDevice?.Invoke();

    public void Dispose() => IsDisposed = true;

    private int Pick(DrawKind draw)
    {
        if (_scores.Contains(float.NaN))
        {
            return PickedRow.NotFinite;
        }

        foreach (var id in draw == DrawKind.HighestButEnds ? Requests.Model.ReservedTokens.Concat(Requests.Model.EndTokens) : Requests.Model.ReservedTokens)
        {
            _scores[id] = float.NegativeInfinity;
        }

        return _scores.IndexOf(_scores.Max());
    }

    private ref ulong StateOf(Sequence sequence, int position) =>
        ref _states[(sequence.Blocks.Blocks[position / options.BlockSize] * options.BlockSize) + (position % options.BlockSize)];

    private ulong Next(ulong state, Sequence sequence, int position, int token)
    {
        var image = sequence.Images.FirstOrDefault(i => i.Start <= position && position < i.End);
        return image is null ? Mix(state, (ulong)token) : Mix(state, Mix(_features[image.Slot], (ulong)(position - image.Start)));
    }

    private void Score(ulong state, int token, Span<float> logits)
    {
        var source = Repeats && state % 16 != 0 ? Mix(11, (ulong)token) : state;
        for (var i = 0; i < logits.Length; i++)
        {
            logits[i] = token == NanToken ? float.NaN : (Mix(source, (ulong)i) >> 40) * (8f / (1 << 24));
        }
    }

    private static ulong Mix(ulong a, ulong b)
    {
        var x = (a ^ (b * 0x9E3779B97F4A7C15)) + 0x632BE59BD9B4E019;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
