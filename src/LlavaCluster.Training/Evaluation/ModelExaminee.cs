using LlavaCluster.Model;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Text;
using LlavaCluster.Training.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Evaluation;

/// <summary>A model folder in this process, answering one question at a time by plain greedy decoding. Not for use from several threads at once.</summary>
public sealed class ModelExaminee : IExaminee
{
    private const int BlockSize = 16;
    private const int MostNewTokens = 160;

    private readonly LlavaModel _model;
    private readonly TextCodec _codec;
    private readonly PromptRenderer _prompts;
    private readonly ImagePreprocessor _preprocessor;
    private readonly KvCache _cache;
    private readonly KernelTeam _team;
    private readonly IPagedDecoder _decoder;
    private readonly DecoderStep _step = new(BlockSize);
    private readonly int[] _blocks;
    private readonly float[] _logits;

    /// <exception cref="Model.Weights.CheckpointException">The folder is not a model.</exception>
    public ModelExaminee(string folder, ConversationTemplate template)
    {
        _model = LlavaModel.Load(folder);
        var config = _model.Config;
        _codec = TextCodec.Load(folder, config);
        _prompts = new PromptRenderer(template, _codec);
        _preprocessor = new ImagePreprocessor(config, PreprocessingConfigReader.Read(folder, config));
        _blocks = [.. Enumerable.Range(0, Math.Min(config.Text.MaxPositions, 2048) / BlockSize)];
        _cache = new KvCache(config.Text, _blocks.Length, BlockSize, _model.Network.Dtype, CPU);
        _team = new KernelTeam(get_num_threads());
        _decoder = PagedDecoder.For(_model.Network, _cache, _team, _blocks.Length * BlockSize);
        _logits = new float[config.Text.VocabSize];
    }

    public int Concurrency => 1;

    public Task<string> AnswerAsync(Scene scene, IReadOnlyList<ExamTurn> before, string question, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var ids = new List<int>();
        Prompt(scene, before, question);
        for (var next = Step(); ids.Count < MostNewTokens && !_model.Config.EosTokenIds.Contains(next); next = Step())
        {
            cancellationToken.ThrowIfCancellationRequested();
            ids.Add(next);
            var position = (int)_step.Batch.Positions[^1] + 1;
            _step.Clear();
            Add(position, [next]);
        }

        return Task.FromResult(_codec.Decode(ids).Trim());
    }

    public void Dispose()
    {
        _decoder.Dispose();
        _team.Dispose();
        _cache.Dispose();
        _model.Dispose();
    }

    private void Prompt(Scene scene, IReadOnlyList<ExamTurn> before, string question)
    {
        var prepared = _preprocessor.Prepare(new RgbImage(scene.Size, scene.Size, scene.Pixels.ToArray()));
        var side = _model.Config.Vision.ImageSize;
        var pixels = tensor(prepared.Pixels).view(-1, 3, side, side); // [tiles, 3, side, side]
        var features = _model.Network.PackTiles(_model.Network.EncodeTiles(pixels), prepared.Layout).contiguous(); // [tokens, hidden]
        var ids = new List<long>();
        _step.Clear();
        string[] questions = [.. before.Select(turn => turn.Question), question];
        PromptMessage[] messages = [PromptMessage.User(questions[0], 0), .. before.Zip(questions.Skip(1)).SelectMany(pair => new[] { PromptMessage.Assistant(pair.First.Answer), PromptMessage.User(pair.Second) })];
        foreach (var token in _codec.Encode(_prompts.Render(messages, opens: true)))
        {
            if (token.Picture >= 0)
            {
                var count = (int)features.shape[0];
                _step.Features.Add(new FeatureRows(ids.Count, features, 0, count));
                ids.AddRange(Enumerable.Repeat(0L, count));
                continue;
            }

            ids.Add(token.Id);
        }

        Add(0, ids);
    }

    // Tokens from a position on, the last of which tells what comes next.
    private void Add(int start, IReadOnlyList<long> ids)
    {
        _step.Batch.Add(_blocks, start, ids.Count);
        _step.Ids.AddRange(ids);
        _step.Sampled.Add(ids.Count - 1);
    }

    private int Step()
    {
        _decoder.Decode(_step, _logits);
        return _logits.IndexOf(_logits.Max());
    }
}
