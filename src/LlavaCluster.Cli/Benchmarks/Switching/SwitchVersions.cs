using System.Text.Json.Nodes;
using LlavaCluster.Cli.Tuning;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>Random adapters that a server knows as versions of one name.</summary>
internal static class SwitchVersions
{
    private const double Scale = 2; // of RandomAdapter's factors: changes answers and keeps them finite

    /// <returns>The versions' ids in the order of the ranks; the first is in use.</returns>
    public static async Task<IReadOnlyList<string>> ImportAsync(TuningApi api, LlavaConfig config, string model, string name, IReadOnlyList<int> ranks, int seed, CancellationToken cancellationToken)
    {
        var versions = new List<string>();
        foreach (var rank in ranks)
        {
            var folder = Directory.CreateTempSubdirectory("llava-adapter-");
            try
            {
                Write(folder.FullName, config, rank, seed + versions.Count);
                var fields = new Dictionary<string, string> { ["name"] = name, ["model"] = model };
                var adapter = await api.UploadAsync("v1/adapters", AdapterPackage.Open(folder.FullName), $"rank-{rank}.safetensors", fields, cancellationToken);
                versions.Add((string)adapter["versions"]!.AsArray()[0]!["id"]!); // the latest comes first
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }

        return versions;
    }

    /// <summary>Puts a version in use, alone.</summary>
    public static Task UseAsync(TuningApi api, string name, string version, CancellationToken cancellationToken) =>
        api.PostAsync($"v1/adapters/{name}/traffic", new JsonObject { ["version"] = version, ["share"] = 1 }, cancellationToken);

    private static void Write(string folder, LlavaConfig config, int rank, int seed)
    {
        using var weights = RandomAdapter.Of(config, rank, seed);
        LoraAdapterWriter.Write(folder, weights, rank, Scale * rank);
    }
}
