using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using LlavaCluster.Model.Kernels.Threading;
using LlavaCluster.Model.Text;
using LlavaCluster.TestSupport;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Kernels.Decoding;

/// <summary>The kernels that serve, on the model that is served; the golden checkpoints are too small for them.</summary>
public sealed class ShippedModelTests
{
    private const int BlockSize = 16;
    private const int Answer = 40;

    // How far a bfloat16 answer's logits may be from float32's; a token that leads by more is drawn all the same.
    private const float BFloat16Margin = 1;

    private static readonly string Folder = Goldens.Path("..", "..", "models", "scenes");

    [Theory]
    [InlineData("Describe the picture.")]
    [InlineData("What is to the left of the tree?")]
    public void Decode_WithOurKernels_DrawsTheTokensThatLibtorchDraws(string question)
    {
        using var team = new KernelTeam(2);
        using var model = LlavaModel.Load(Folder, dtype: ScalarType.Float32);

        var expected = Draw(model, question, cache => new TorchDecoder(model.Network, cache, TokenBans.None));
        var ours = Draw(model, question, cache => Ours(model, cache, team));

        Assert.Equal(expected.Select(token => token.Id), ours.Select(token => token.Id));
    }

    [Theory]
    [InlineData("Describe the picture.")]
    [InlineData("What is to the left of the tree?")]
    public void Decode_InBFloat16_DrawsTheTokensThatLeadClearlyInFloat32(string question)
    {
        using var team = new KernelTeam(2);
        using var exact = LlavaModel.Load(Folder, dtype: ScalarType.Float32);
        using var model = LlavaModel.Load(Folder, dtype: ScalarType.BFloat16);
        var expected = Draw(exact, question, cache => new TorchDecoder(exact.Network, cache, TokenBans.None));

        var ours = Draw(model, question, cache => Ours(model, cache, team), [.. expected.Select(token => token.Id)]);

        var clear = expected.Index().Where(token => token.Item.Lead > BFloat16Margin).Select(token => token.Index).ToList();
        Assert.InRange(clear.Count, Answer / 2, Answer);
        Assert.All(clear, at => Assert.Equal(expected[at].Id, ours[at].Id));
    }

    private static IPagedDecoder Ours(LlavaModel model, KvCache cache, KernelTeam team)
    {
        Assert.True(PagedDecoder.FitsCpu(model.Network, cache));
        return PagedDecoder.For(model.Network, cache, team, mostTokens: 256);
    }

    /// <param name="forced">What is taken for drawn, whatever was; null takes what was.</param>
    private static List<(int Id, float Lead)> Draw(LlavaModel model, string question, Func<KvCache, IPagedDecoder> make, int[]? forced = null)
    {
        using var cache = new KvCache(model.Config.Text, 32, BlockSize, model.Network.Dtype, CPU);
        using var decoder = make(cache);
        using var features = Features(model);
        var step = new DecoderStep(BlockSize);
        AddPrompt(step, question, features);
        int[] blocks = [.. Enumerable.Range(0, cache.Blocks)];
        var logits = new float[model.Config.Text.VocabSize];
        var drawn = new List<(int Id, float Lead)>();
        for (var position = 0; drawn.Count < Answer;)
        {
            var count = step.Ids.Count;
            step.Batch.Add(blocks, position, count);
            step.Sampled.Add(count - 1);
            decoder.Decode(step, logits);
            position += count;
            var best = logits.Index().OrderByDescending(logit => logit.Item).Take(2).ToArray();
            drawn.Add((best[0].Index, best[0].Item - best[1].Item));
            step.Clear();
            step.Ids.Add(forced?[drawn.Count - 1] ?? drawn[^1].Id);
        }

        return drawn;
    }

    private static void AddPrompt(DecoderStep step, string question, Tensor features)
    {
        var codec = TextCodec.Load(Folder, LlavaConfigReader.Read(Folder));
        foreach (var token in codec.Encode(new PromptRenderer(ConversationTemplate.Bare, codec).Render([PromptMessage.User(question, 0)], opens: true)))
        {
            if (token.Picture < 0)
            {
                step.Ids.Add(token.Id);
                continue;
            }

            step.Features.Add(new FeatureRows(step.Ids.Count, features, 0, (int)features.shape[0]));
            step.Ids.AddRange(Enumerable.Repeat(0L, (int)features.shape[0]));
        }
    }

    // Green below, blue above, and a brown square between.
    private static Tensor Features(LlavaModel model)
    {
        const int side = 112;
        var rgb = new byte[side * side * 3];
        for (var i = 0; i < side * side; i++)
        {
            var (row, column) = (i / side, i % side);
            byte[] colour = row is > 50 and < 80 && column is > 40 and < 70 ? [120, 80, 40] : row > 70 ? [60, 150, 60] : [150, 190, 240];
            colour.CopyTo(rgb, i * 3);
        }

        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var prepared = new ImagePreprocessor(model.Config, PreprocessingConfigReader.Read(Folder, model.Config)).Prepare(new RgbImage(side, side, rgb));
        var size = model.Config.Vision.ImageSize;
        var tiles = model.Network.EncodeTiles(tensor(prepared.Pixels).view(-1, 3, size, size)); // [tiles, tokensPerTile, hidden]
        return model.Network.PackTiles(tiles, prepared.Layout).clone().MoveToOuterDisposeScope();
    }
}
