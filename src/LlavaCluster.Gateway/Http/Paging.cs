using System.Globalization;
using System.Text.Json.Nodes;
using LlavaCluster.Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http;

/// <summary>The part of a list that a query asks for, in OpenAI's words: so many entries after one of them.</summary>
internal readonly record struct Paging(int Limit, string? After)
{
    public static Paging Read(HttpRequest request, int usual, int most, FieldChecks checks)
    {
        var limit = usual;
        if (request.Query["limit"] is [{ Length: > 0 } text, ..] && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit < 1 || limit > most))
        {
            checks.Fail("limit", $"must be between 1 and {most}; was {Excerpt.Of(text, 20)}.");
        }

        return new Paging(limit, request.Query["after"] is [{ Length: > 0 } after, ..] ? after : null);
    }

    /// <summary>Whether the query asks for the oldest first; lists have the latest first.</summary>
    public static bool OldestFirst(HttpRequest request, FieldChecks checks)
    {
        var order = request.Query["order"].ToString();
        if (order is not ("" or "asc" or "desc"))
        {
            checks.Fail("order", $"must be asc or desc; was \"{Excerpt.Of(order, 20)}\".");
        }

        return order == "asc";
    }

    /// <summary>A list's page.</summary>
    /// <param name="entries">One more than the limit where there are more.</param>
    public JsonObject Page(IReadOnlyCollection<JsonObject> entries)
    {
        var page = new JsonArray([.. entries.Take(Limit)]);
        return new JsonObject
        {
            ["object"] = "list",
            ["data"] = page,
            ["first_id"] = page is [var first, ..] ? (string?)first!["id"] : null,
            ["last_id"] = page is [.., var last] ? (string?)last!["id"] : null,
            ["has_more"] = entries.Count > Limit,
        };
    }
}
