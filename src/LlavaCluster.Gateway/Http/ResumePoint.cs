using System.Globalization;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http;

/// <summary>Where a client wants a stream to go on: the last event's id it has seen.</summary>
internal static class ResumePoint
{
    /// <summary>The query parameter, or the header that browsers' EventSource sends; 0 without either.</summary>
    public static long Read(HttpRequest request, string parameter, FieldChecks checks)
    {
        var (field, text) = request.Query[parameter] is [{ } query] ? (parameter, query) : ("Last-Event-ID", (string?)request.Headers["Last-Event-ID"]);
        if (string.IsNullOrEmpty(text))
        {
            return 0;
        }

        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var after))
        {
            checks.Fail(field, "must be a whole number of at least 0.");
        }

        return after;
    }

    public static ChatFailure Unknown(string thing) => new(ChatFailureKind.NotFound, $"There is no such {thing}.", "id");
}
