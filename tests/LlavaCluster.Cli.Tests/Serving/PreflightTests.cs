using System.Net;
using System.Net.Sockets;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cli.Tests.Serving;

public sealed class PreflightTests
{
    [Fact]
    public void Check_OfATakenPort_NamesTheAddress()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var endPoint = (IPEndPoint)taken.LocalEndpoint;

        var refusal = Assert.Throws<ClusterStartException>(() => Preflight.Check(Options(Goldens.Path("a_llava15"), endPoint), loads: true));

        Assert.StartsWith($"{endPoint} cannot be listened on: ", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_OfAFolderThatIsNoModel_NamesIt()
    {
        var refusal = Assert.Throws<CheckpointException>(() => Preflight.Check(Options(Goldens.Path("images"), new IPEndPoint(IPAddress.Loopback, 0)), loads: true));

        Assert.Contains("is not a model folder: it has no config.json.", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_OfAModelAndAFreePort_Passes() => Preflight.Check(Options(Goldens.Path("a_llava15"), new IPEndPoint(IPAddress.Loopback, 0)), loads: true);

    private static ServeOptions Options(string model, IPEndPoint endPoint) => new()
    {
        Role = ClusterRole.All, Model = model, Weights = "auto", Data = "unused", EndPoint = endPoint, SiloPort = 0, Threads = 1, KvBytes = 1 << 20,
    };
}
