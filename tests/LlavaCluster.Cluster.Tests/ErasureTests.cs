using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Grpc.Net.Client;
using Llava.V1;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.Cluster.Tests.Training;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary>A tenant is erased on two fronts and a worker with a real engine and trainer, each a process.</summary>
public sealed class ErasureTests : IDisposable
{
    private const string Model = "a_llava15";
    private const string Begun = "The erasure of acme begins";

    private static readonly string Question =
        $$$"""
        [{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{Convert.ToBase64String(File.ReadAllBytes(Path.Combine(Goldens.Path("images"), "wide.png")))}}}"}},
         {"type":"text","text":"What was asked of it before, in so many words that whole blocks are kept?"}]
        """;

    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(180));
    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;

    private CancellationToken Stop => _deadline.Token;

    public void Dispose()
    {
        _deadline.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    [Fact]
    public async Task Erase_OfATenantAtWork_LeavesNothingOfItAndAllOfAnother_ThoughTheFrontThatDoesItIsKilled()
    {
        await using var first = await Node.ServeAsync(_data, "front-1", ["--role", "front"], Stop);
        await using var second = await Node.ServeAsync(_data, "front-2", ["--role", "front"], Stop);
        await using var worker = await Node.ServeAsync(_data, "worker-1", ["--role", "worker", "--model", Goldens.Path(Model), "--template", "bare", "--train-threads", "1"], Stop);
        await Task.WhenAll(first.KnowsAsync("worker-1", Stop), second.KnowsAsync("worker-1", Stop));
        var (acme, zenith) = (await KeyAsync(first, "acme"), await KeyAsync(first, "zenith"));
        await FillAsync(first, acme);
        await FillAsync(first, zenith);
        var theirs = Objects("zenith");
        Assert.Equal(theirs, Objects("acme"));
        var jobs = new[] { await TrainAsync(first, acme), await TrainAsync(first, acme) };
        await worker.SaysAsync("Step 3 of group 1 is done in job acme/", Stop);

        var id = Guid.NewGuid();
        var asked = EraseAsync(first, id);
        await await Task.WhenAny(first.SaysAsync(Begun, Stop), second.SaysAsync(Begun, Stop));
        var (doer, other) = first.HasSaid(Begun) ? (first, second) : (second, first);
        await doer.KillAsync(Stop);
        await Task.WhenAny(asked);
        EraseTenantResponse erasure;
        while (!(erasure = await EraseAsync(other, id)).Finished)
        {
            TestContext.Current.SendDiagnosticMessage($"{erasure}");
        }

        Assert.Equal((1, jobs.Length, 1, 2), (erasure.Found.Keys, erasure.Found.Jobs, erasure.Found.Adapters, erasure.Found.Files));
        Assert.Empty(Objects("acme"));
        Assert.False(Directory.Exists(Path.Combine(_data, "trainers", "worker-1")));
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(other, acme, HttpMethod.Get, "/v1/models")).Status);
        // The other tenant has what it had, in the store and in memory.
        Assert.Equal(theirs, Objects("zenith"));
        Assert.InRange(await ChatAsync(other, zenith, Model), 16, 100);
        Assert.InRange(await ChatAsync(other, zenith, $"{Model}:golden"), 16, 100);
        // Whoever gets the name anew finds nothing, in the store or in memory.
        var successor = await KeyAsync(other, "acme");
        foreach (var list in new[] { "/v1/files", "/v1/fine_tuning/jobs", "/v1/adapters" })
        {
            Assert.Equal(0, (await AskAsync(other, successor, HttpMethod.Get, list)).Body.GetProperty("data").GetArrayLength());
        }

        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(other, successor, HttpMethod.Get, $"/v1/fine_tuning/jobs/{jobs[0]}")).Status);
        Assert.Equal(0, await ChatAsync(other, successor, Model));
        // Once more, as an operator does it.
        var (code, printed, errors) = await Command.RunAsync("", Stop, "tenants", "erase", "acme", "--url", other.Address.AbsoluteUri);
        Assert.Equal((0, ""), (code, errors));
        Assert.Matches("erased: 1 keys, 0 jobs, [0-9]+ conversations, 0 versions of adapters, 0 files\nobjects: 1, [0-9]+ bytes\nin memory: [1-9][0-9]* blocks of KV, 1 pictures, 0 adapters\n", printed);
        Assert.Empty(Objects("acme"));
    }

    /// <summary>Files, an adapter, a conversation, and chats about a picture with base and adapter.</summary>
    private async Task FillAsync(Node node, string key)
    {
        using var picture = new MultipartFormDataContent { { new StringContent("fine-tune"), "purpose" }, { new ByteArrayContent(PictureData.Zip()), "file", "pictures.zip" } };
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(node, key, HttpMethod.Post, "/v1/files", picture)).Status);
        using var records = new MultipartFormDataContent { { new StringContent("fine-tune"), "purpose" }, { new ByteArrayContent(PictureData.Records(40)), "file", "data.json" } };
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(node, key, HttpMethod.Post, "/v1/files", records)).Status);
        var packed = Path.Combine(_data, "golden");
        AdapterFile.Pack(Goldens.Path(Model, "adapter"), packed);
        using var adapter = new MultipartFormDataContent { { new StringContent("golden"), "name" }, { new StringContent(Model), "model" }, { new ByteArrayContent(await File.ReadAllBytesAsync(packed, Stop)), "file", "golden" } };
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(node, key, HttpMethod.Post, "/v1/adapters", adapter)).Status);
        using var nothing = Json("{}");
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(node, key, HttpMethod.Post, "/v1/conversations", nothing)).Status);
        Assert.Equal(0, await ChatAsync(node, key, Model));
        Assert.InRange(await ChatAsync(node, key, Model), 16, 100);
        await ChatAsync(node, key, $"{Model}:golden");
    }

    /// <returns>Tokens of the prompt that the worker knew.</returns>
    private async Task<int> ChatAsync(Node node, string key, string model)
    {
        using var body = Json($$$"""{"model":"{{{model}}}","max_tokens":4,"temperature":0,"messages":[{"role":"user","content":{{{Question}}}}]}""");
        var (status, answer) = await AskAsync(node, key, HttpMethod.Post, "/v1/chat/completions", body);
        Assert.True(status == HttpStatusCode.OK, $"{answer}");
        return answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
    }

    private async Task<string> TrainAsync(Node node, string key)
    {
        var files = (await AskAsync(node, key, HttpMethod.Get, "/v1/files")).Body.GetProperty("data").EnumerateArray().ToDictionary(file => file.GetProperty("filename").GetString()!, file => file.GetProperty("id").GetString());
        using var body = Json($$$"""{"model":"{{{Model}}}","training_file":"{{{files["data.json"]}}}","images_file":"{{{files["pictures.zip"]}}}","suffix":"tuned","checkpoint_every":2,"hyperparameters":{"n_epochs":50,"batch_size":2}}""");
        var (status, job) = await AskAsync(node, key, HttpMethod.Post, "/v1/fine_tuning/jobs", body);
        Assert.True(status == HttpStatusCode.OK, $"{job}");
        return job.GetProperty("id").GetString()!;
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(Node node, string key, HttpMethod method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await node.Http.SendAsync(request, Stop);
        return (response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync(Stop)).RootElement);
    }

    private async Task<string> KeyAsync(Node node, string tenant)
    {
        using var channel = GrpcChannel.ForAddress(node.Address);
        return (await new Llava.V1.Tenants.TenantsClient(channel).CreateKeyAsync(new CreateKeyRequest { Tenant = tenant, Scopes = { "chat", "train" } }, cancellationToken: Stop)).ApiKey;
    }

    private async Task<EraseTenantResponse> EraseAsync(Node node, Guid id)
    {
        using var channel = GrpcChannel.ForAddress(node.Address);
        return await new Llava.V1.Tenants.TenantsClient(channel).EraseTenantAsync(new EraseTenantRequest { Tenant = "acme", ErasureId = id.ToString() }, cancellationToken: Stop);
    }

    private string[] Objects(string tenant)
    {
        var folder = Path.Combine(_data, "objects", tenant);
        return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)] : [];
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");
}
