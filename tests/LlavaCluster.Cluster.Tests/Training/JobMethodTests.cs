using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>What a client asks a job for is in what the job makes: over HTTP, by the program as a user starts it.</summary>
public sealed class JobMethodTests(ServedModel served) : IClassFixture<ServedModel>, IDisposable
{
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(300)); // a trainer has the least priority of all that runs

    private JobClient Client => new(_ => served.Http, _deadline.Token);

    public void Dispose() => _deadline.Dispose();

    [Fact]
    public async Task Base_InEightBits_TeachesAnAdapterThatAnswersBesideTheBaseAsItIs()
    {
        var body = await Client.UploadAsync("""
            "n_epochs":2,"batch_size":8,"learning_rate":0.01,"rank":8,"alpha":16,"base_weights":"q8"
            """);
        var (job, _) = await Client.FinishAsync(await Client.CreateAsync(body));

        var result = job.GetProperty("result");
        Assert.True(result.GetProperty("adapter_loss").GetDouble() < 0.8 * result.GetProperty("base_loss").GetDouble(), $"{result}");
        var answer = await served.PostAsync("/v1/chat/completions", """{"model":"a_llava15:kills","messages":[{"role":"user","content":"What is it?"}],"max_tokens":8,"temperature":0}""", _deadline.Token);
        Assert.Equal(JobClient.Version(job), answer.GetProperty("system_fingerprint").GetString());
    }

    [Fact]
    public async Task RankAndAlphaPattern_AreInTheAdaptersConfiguration()
    {
        var body = await Client.UploadAsync("""
            "n_epochs":1,"batch_size":16,"rank":4,"alpha":8,"target_modules":["q_proj","v_proj"],"rank_pattern":{"layers.0.self_attn.q_proj":2,"q_proj":6},"alpha_pattern":{"layers\\.1\\..*":3}
            """);
        var (job, _) = await Client.FinishAsync(await Client.CreateAsync(body));

        var folder = Directory.CreateTempSubdirectory("llava-");
        var file = Path.Combine(folder.FullName, "adapter.safetensors");
        await File.WriteAllBytesAsync(file, await Client.AdapterAsync(job), _deadline.Token);
        AdapterFile.Unpack(file, folder.FullName);
        var config = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder.FullName, "adapter_config.json"), _deadline.Token)).RootElement;
        var (ranks, alphas) = (Pattern("rank_pattern"), Pattern("alpha_pattern"));
        Assert.Equal((4, 8), (config.GetProperty("r").GetInt32(), config.GetProperty("lora_alpha").GetInt32()));
        // Of two that fit, the first.
        Assert.Equal(2, ranks["model.language_model.layers.0.self_attn.q_proj"]);
        Assert.Equal(6, ranks["model.language_model.layers.1.self_attn.q_proj"]);
        Assert.All(ranks.Keys, module => Assert.EndsWith("q_proj", module, StringComparison.Ordinal));
        Assert.Equal(["model.language_model.layers.1.self_attn.q_proj", "model.language_model.layers.1.self_attn.v_proj"], alphas.Keys);
        Assert.All(alphas.Values, alpha => Assert.Equal(3, alpha));
        folder.Delete(recursive: true);

        SortedDictionary<string, int> Pattern(string name) => new(config.GetProperty(name).EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32()), StringComparer.Ordinal);
    }
}
