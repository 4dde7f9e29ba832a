using System.Net;
using System.Text.Json;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary><c>llava serve</c> over a reference checkpoint, shared by a class's tests: the real vocabulary, tokenizer, engine and stores.</summary>
public class ServedModel : IAsyncLifetime
{
    public const string Name = "a_llava15";

    private readonly string _data = Directory.CreateTempSubdirectory("llava-").FullName;
    private Node _node = null!;

    internal HttpClient Http => _node.Http;

    internal Uri Address => _node.Address;

    private protected virtual string[] Arguments => ["--model", Goldens.Path(Name), "--template", "bare", "--image-urls"];

    public async ValueTask InitializeAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        _node = await Node.ServeAsync(_data, "all", Arguments, deadline.Token);
        await _node.KnowsAsync("all", deadline.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        Directory.Delete(_data, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>A chat about one question; <paramref name="more"/> are further fields of the body as JSON.</summary>
    internal async Task<JsonElement> ChatAsync(string content, string more, CancellationToken cancellationToken, HttpStatusCode status = HttpStatusCode.OK)
    {
        var body = $$"""{"model":"{{Name}}","messages":[{"role":"user","content":{{content}}}]{{(more.Length > 0 ? "," + more : "")}}}""";
        return await PostAsync("/v1/chat/completions", body, cancellationToken, status);
    }

    internal async Task<JsonElement> PostAsync(string path, string body, CancellationToken cancellationToken, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await Http.PostAsync(path, content, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.StatusCode == status, $"{(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }
}
