using LlavaCluster.Training.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests;

public sealed class WeightInitializerTests : IDisposable
{
    private const string Layer = "language_model.layers.0.self_attn.";
    private const int Hidden = 16;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly WeightInitializer _weights = new(TinyModel.Config, 3, CPU);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Keys_StartAsSmallerQueries()
    {
        var (query, key) = (_weights.Take(Layer + "q_proj.weight", Hidden, Hidden), _weights.Take(Layer + "k_proj.weight", Hidden, Hidden));

        Assert.True(allclose(query, key * 2, rtol: 1e-6));
    }

    [Fact]
    public void Outputs_HandOnWhatValuesTook()
    {
        var (value, output) = (_weights.Take(Layer + "v_proj.weight", Hidden, Hidden), _weights.Take(Layer + "o_proj.weight", Hidden, Hidden));

        Assert.True(allclose(value / Math.Sqrt(2 * TinyModel.Config.Text.Layers), output.t(), rtol: 1e-6));
    }

    [Fact]
    public void Head_PointsWhereTheWordsDo()
    {
        var (words, head) = (_weights.Take("language_model.embed_tokens.weight", 32, Hidden), _weights.Take("lm_head.weight", 32, Hidden));

        Assert.True(nn.functional.cosine_similarity(words, head, 1).min().item<float>() > 0.9999f);
    }

    [Fact]
    public void Take_OfTheSameNameAndSeed_GivesTheSameWhateverWasTakenBefore()
    {
        var first = _weights.Take("multi_modal_projector.linear_1.weight", Hidden, Hidden);
        _ = _weights.Take(Layer + "q_proj.weight", Hidden, Hidden);
        var again = _weights.Take("multi_modal_projector.linear_1.weight", Hidden, Hidden);
        var other = new WeightInitializer(TinyModel.Config, 4, CPU).Take("multi_modal_projector.linear_1.weight", Hidden, Hidden);

        Assert.True(first.allclose(again, rtol: 0, atol: 0));
        Assert.False(first.allclose(other));
    }
}
