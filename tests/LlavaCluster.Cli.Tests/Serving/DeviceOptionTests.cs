using LlavaCluster.Cli.Serving;
using LlavaCluster.Cli.Tests.Commands;
using LlavaCluster.Model;

namespace LlavaCluster.Cli.Tests.Serving;

public sealed class DeviceOptionTests
{
    [Theory]
    [InlineData("serve")]
    [InlineData("bench", "device")]
    [InlineData("bench", "engine")]
    public void Device_OfAnotherName_IsRefusedWithTheNamesThereAre(params string[] command)
    {
        Assert.Empty(CommandLine.Parse([.. command, "--device", "cuda:1"]).Errors);
        Assert.Contains(CommandLine.Parse([.. command, "--device", "gpu"]).Errors, error => error.Message == "--device must be cpu, cuda or cuda:N; was \"gpu\".");
        Assert.Contains(
            CommandLine.Parse([.. command, "--device", "cuda", "--weights", "q8"]).Errors, error => error.Message == "--weights must be auto, f32 or bf16 with --device cuda; was q8.");
    }

    [Theory]
    [InlineData("serve", "--port", "0")]
    [InlineData("bench", "device")]
    [InlineData("bench", "engine")]
    public async Task Device_ThatIsNotThere_IsOneLineThatSaysWhatToDo(params string[] command)
    {
        Assert.SkipWhen(TorchSharp.torch.cuda.is_available(), "This machine has a GPU.");

        var (code, printed, errors) = await CommandLine.RunAsync([.. command, "--device", "cuda", "--model", ServeOptions.ShippedModel], TestContext.Current.CancellationToken);

        Assert.Equal((1, ""), (code, printed));
        Assert.Equal("The device cuda:0 is not available: it needs a build with -p:Torch=cuda, an NVIDIA GPU and its driver. Without them, use --device cpu.", errors.Trim());
    }

    [Fact]
    public void Device_ByDefault_IsTheCpu() => Assert.Equal(ComputeDevice.Cpu, new Worker.Serving.WorkerOptions { ModelFolder = "unused" }.Device);
}
