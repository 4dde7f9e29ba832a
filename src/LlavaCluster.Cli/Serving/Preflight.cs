using System.Net;
using System.Net.Sockets;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Serving;

/// <summary>What an operator most often gets wrong, found before anything is started, so that the answer is one line and not a host's last words.</summary>
internal static class Preflight
{
    /// <exception cref="ClusterStartException">The port is taken or the address is not this machine's.</exception>
    /// <exception cref="CheckpointException">The model folder is none.</exception>
    /// <exception cref="NotSupportedException">The device is not there.</exception>
    /// <param name="loads">Whether this process is to load the model.</param>
    public static void Check(ServeOptions options, bool loads)
    {
        RequireFree(options.EndPoint);
        if (loads)
        {
            _ = options.Device.Open();
            // Reads headers only, whatever the model's size.
            CheckpointReader.Open(options.Model, new CheckpointOptions { VisionTower = options.VisionTower }).Dispose();
        }
    }

    private static void RequireFree(IPEndPoint endPoint)
    {
        try
        {
            using var listener = new TcpListener(endPoint);
            listener.Start();
        }
        catch (SocketException fault)
        {
            throw new ClusterStartException($"{endPoint} cannot be listened on: {fault.Message}. Choose another with --address and --port.", fault);
        }
    }
}
