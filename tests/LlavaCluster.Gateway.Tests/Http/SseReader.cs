using System.Net.ServerSentEvents;

namespace LlavaCluster.Gateway.Tests.Http;

/// <param name="Id">The event's id line; null without one.</param>
internal sealed record SseEvent(string? Name, string? Id, string Data);

internal static class SseReader
{
    /// <summary>The events of a whole response, read by the framework's own parser.</summary>
    public static async Task<SseEvent[]> ReadAllAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var events = new List<SseEvent>();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            events.Add(new SseEvent(item.EventType == "message" ? null : item.EventType, item.EventId, item.Data));
        }

        return [.. events];
    }
}
