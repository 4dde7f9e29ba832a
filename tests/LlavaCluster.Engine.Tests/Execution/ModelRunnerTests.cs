using LlavaCluster.Engine.Execution;
using LlavaCluster.Model;
using LlavaCluster.TestSupport;
using TorchSharp;

namespace LlavaCluster.Engine.Tests.Execution;

public sealed class ModelRunnerTests
{
    // A probe that threw on a good device would turn one poisoned request into the loss of the engine.
    [Theory]
    [InlineData("a_llava15", torch.ScalarType.Float32)]
    [InlineData("b_llava_gqa_bf16", torch.ScalarType.BFloat16)]
    public void Probe_OnAWorkingDevice_ReturnsAndLeavesNothing(string checkpoint, torch.ScalarType dtype)
    {
        using var model = LlavaModel.Load(Goldens.Path(checkpoint), dtype: dtype);
        using var runner = new ModelRunner(model.Network, new EngineOptions { BlockSize = 4, KvBlocks = 4 });
        using var scope = torch.NewDisposeScope();

        runner.Probe();

        Assert.Equal(0, scope.DisposablesCount);
    }
}
