using System.Globalization;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http;

/// <summary>Where a client wants a stream to go on: the last event's id it has seen.</summary>
internal static class ResumePoint
{
    /// <summary>
    /// The header, or else the query parameter; null without either. A browser's EventSource connects again to the address it had, old parameter and all,
    /// and says in the header how far it has come since.
    /// </summary>
    public static long? Read(HttpRequest request, string parameter, FieldChecks checks)
    {
        var (field, text) = request.Headers["Last-Event-ID"] is [{ Length: > 0 } header] ? ("Last-Event-ID", header) : (parameter, (string?)request.Query[parameter]);
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var after))
        {
            checks.Fail(field, "must be a whole number of at least 0.");
        }

        return after;
    }

    public static ChatFailure Unknown(string thing) => new(ChatFailureKind.NotFound, $"There is no such {thing}.", "id");
}
