using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>What a test node's HTTP routes do.</summary>
internal static class TestNodeCalls
{
    public static async Task<string> BeginAsync(
        this Node node, string conversation, Guid turn, string text, int tokens, double temperature, CancellationToken cancellationToken)
    {
        var address = $"/begin/{conversation}/{turn}?text={Uri.EscapeDataString(text)}&tokens={tokens}&temperature={temperature}";
        using var response = await node.Http.PostAsync(address, null, cancellationToken);
        return response.IsSuccessStatusCode ? await response.Content.ReadAsStringAsync(cancellationToken) : response.StatusCode.ToString();
    }

    public static async Task SetQuotaAsync(this Node node, int concurrent, CancellationToken cancellationToken)
    {
        using var response = await node.Http.PostAsync($"/quota/{concurrent}", null, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    public static async Task<HttpStatusCode> GetAsync(this Node node, string path, CancellationToken cancellationToken)
    {
        using var response = await node.Http.GetAsync(path, cancellationToken);
        return response.StatusCode;
    }

    /// <summary>The turn's events until it completes or the stream breaks.</summary>
    public static async IAsyncEnumerable<Step> FollowAsync(this Node node, string conversation, Guid turn, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await node.Http.GetAsync($"/follow/{conversation}/{turn}/{after}", HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            yield return JsonSerializer.Deserialize<Step>(line)!;
        }
    }
}

internal sealed record Step(long Sequence, string Text, bool Completed, string? Failure);
