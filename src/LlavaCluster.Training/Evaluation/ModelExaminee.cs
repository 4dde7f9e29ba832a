using LlavaCluster.Model;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Kernels;
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
    private readonly int[] _blocks;

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
    }

    public int Concurrency => 1;

    public Task<string> AnswerAsync(Scene scene, string question, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var next = Prompt(scene, question); // [tokens, hidden]
        var (written, ids) = (0, new List<int>());
        while (ids.Count < MostNewTokens)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (id, count) = Step(next, written);
            written += count;
            if (_model.Config.EosTokenIds.Contains(id))
            {
                break;
            }

            ids.Add(id);
            next = _model.Network.Embed(tensor(new long[] { id }));
        }

        return Task.FromResult(_codec.Decode(ids).Trim());
    }

    public void Dispose()
    {
        _cache.Dispose();
        _model.Dispose();
    }

    private Tensor Prompt(Scene scene, string question)
    {
        var prepared = _preprocessor.Prepare(new RgbImage(scene.Size, scene.Size, scene.Pixels.ToArray()));
        var side = _model.Config.Vision.ImageSize;
        var pixels = tensor(prepared.Pixels).view(-1, 3, side, side); // [tiles, 3, side, side]
        var features = _model.Network.PackTiles(_model.Network.EncodeTiles(pixels), prepared.Layout);
        var tokens = _codec.Encode(_prompts.Render([PromptMessage.User(question, 0)], opens: true));
        return cat([.. tokens.Select(token => token.Picture >= 0 ? features : _model.Network.Embed(tensor(new long[] { token.Id })))], 0);
    }

    private (int Id, int Count) Step(Tensor embeddings, int start)
    {
        using var scope = NewDisposeScope();
        var count = (int)embeddings.shape[0];
        var batch = new PagedBatch(BlockSize);
        batch.Add(_blocks, start, count);
        var positions = tensor(batch.Positions.ToArray());
        var hidden = _model.Network.Forward(embeddings, positions, new PagedAttention(_cache, batch, CPU));
        return ((int)_model.Network.Logits(hidden.narrow(0, count - 1, 1)).argmax().item<long>(), count);
    }
}
