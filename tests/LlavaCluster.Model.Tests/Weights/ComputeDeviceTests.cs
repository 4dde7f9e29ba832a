using TorchSharp;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class ComputeDeviceTests
{
    [Theory]
    [InlineData("cpu", "cpu", null)]
    [InlineData("cuda", "cuda:0", 0)]
    [InlineData("cuda:0", "cuda:0", 0)]
    [InlineData("cuda:11", "cuda:11", 11)]
    public void Parse_OfADevice_IsIt(string name, string expected, int? gpu)
    {
        var device = ComputeDevice.Parse(name)!.Value;

        Assert.Equal((expected, gpu), (device.ToString(), device.Gpu));
    }

    [Theory]
    [InlineData("")]
    [InlineData("gpu")]
    [InlineData("CUDA")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:+1")]
    [InlineData("cuda: 1")]
    [InlineData("cuda:99999999999")]
    [InlineData("cpu:0")]
    public void Parse_OfAnythingElse_IsNull(string name) => Assert.Null(ComputeDevice.Parse(name));

    [Fact]
    public void Open_OfTheCpu_IsLibtorchs() => Assert.Equal(DeviceType.CPU, ComputeDevice.Cpu.Open().type);

    [Fact]
    public void Open_OfAGpuThatIsNotThere_SaysWhatToDo()
    {
        Assert.SkipWhen(torch.cuda.is_available(), "This machine has a GPU.");

        var fault = Assert.Throws<NotSupportedException>(() => ComputeDevice.Parse("cuda:1")!.Value.Open());

        Assert.Equal("The device cuda:1 is not available: it needs a build with -p:Torch=cuda, an NVIDIA GPU and its driver. Without them, use --device cpu.", fault.Message);
    }
}
