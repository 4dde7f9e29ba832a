using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>Two fronts and two trainers, each a process that is killed and started again under its name, and a client that turns to whichever front answers.</summary>
internal sealed class JobCluster : IAsyncDisposable
{
    public static readonly string[] Fronts = ["front-1", "front-2"];
    public static readonly string[] Workers = ["worker-1", "worker-2"];

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private readonly Dictionary<string, Node> _nodes = [];
    private readonly List<Node> _ended = [];
    private readonly CancellationToken _stop;

    private JobCluster(CancellationToken stop)
    {
        _stop = stop;
        Client = new JobClient(attempt => _nodes[Fronts[(attempt + 1) % Fronts.Length]].Http, stop);
    }

    public JobClient Client { get; }

    /// <summary>Every process there ever was, one after the other.</summary>
    public IEnumerable<Node> Processes => [.. _ended, .. _nodes.Values];

    public Node this[string name] => _nodes[name];

    public static async Task<JobCluster> StartAsync(CancellationToken stop)
    {
        var cluster = new JobCluster(stop);
        try
        {
            await cluster.StartAsync(Fronts);
            await cluster.StartAsync(Workers);
            await Task.WhenAll(Fronts.SelectMany(front => Workers.Select(worker => cluster[front].KnowsAsync(worker, stop))));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>SIGKILL, all at once.</summary>
    public async Task KillAsync(params string[] names)
    {
        await Task.WhenAll(names.Select(name => _nodes[name].KillAsync(_stop)));
        foreach (var name in names)
        {
            _nodes.Remove(name, out var node);
            _ended.Add(node!);
        }
    }

    /// <summary>Processes of these names, once they answer.</summary>
    public async Task StartAsync(params string[] names)
    {
        var nodes = await Task.WhenAll(names.Select(name => Node.ServeAsync(_data, name, Fronts.Contains(name) ? ["--role", "front"] : ["--role", "worker", "--model", Goldens.Path(JobClient.Model), "--template", "bare", "--train-threads", "1"], _stop)));
        foreach (var (name, node) in names.Zip(nodes))
        {
            _nodes.Add(name, node);
        }
    }

    /// <summary>The front that tends a job, as far as can be seen.</summary>
    public string CoordinatorOf(string job) => Fronts.FirstOrDefault(front => _nodes[front].HasSaid($"{job} is coordinated here")) ?? Fronts[0];

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Processes)
        {
            await node.DisposeAsync();
        }

        Directory.Delete(_data, recursive: true);
    }
}
