using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.TestSupport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Orleans;

namespace LlavaCluster.TestNode;

/// <summary>The grains of one tenant over HTTP, as thin as possible: tests see what grains do, not what a gateway mends.</summary>
internal static class NodeRoutes
{
    private static readonly TenantId Tenant = TenantId.Parse("acme");

    public static void Map(WebApplication app)
    {
        app.MapPost("/begin/{conversation}/{turn:guid}", BeginAsync);
        app.MapGet("/follow/{conversation}/{turn:guid}/{after:long}", FollowAsync);
        app.MapPost("/quota/{concurrent:int}", async (int concurrent, IGrainFactory grains, TenantStamps stamps, CancellationToken stop) =>
        {
            stamps.Stamp(Tenant);
            await grains.GetGrain<ITenantGrain>(Tenant.Value).SetQuotaAsync(new TenantQuota { ConcurrentTurns = concurrent }, stop);
        });
        app.MapGet("/usage", async (IGrainFactory grains, TenantStamps stamps, CancellationToken stop) =>
        {
            stamps.Stamp(Tenant);
            return Json(await grains.GetGrain<ITenantGrain>(Tenant.Value).UsageAsync(stop));
        });
    }

    private static async Task<IResult> BeginAsync(string conversation, Guid turn, string text, int tokens, double temperature, IGrainFactory grains, TenantStamps stamps, CancellationToken stop)
    {
        stamps.Stamp(Tenant);
        var request = new TurnRequest
        {
            TurnId = turn,
            Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfText(text)])],
            Options = new GenerationOptions { MaxTokens = tokens, Seed = 7, Temperature = temperature },
            Model = ScriptedEngineHost.ModelName,
            AffinityKey = conversation,
            WorstCaseTokens = tokens + text.Length,
        };
        var result = await grains.GetGrain<IConversationGrain>($"{Tenant}/{conversation}").BeginTurnAsync(request, stop);
        return Results.Text(result.Failure?.Kind.ToString() ?? "Begun");
    }

    /// <summary>One JSON line an event; the response ends early if the conversation is lost.</summary>
    private static async Task FollowAsync(string conversation, Guid turn, long after, HttpResponse response, IGrainFactory grains, TenantStamps stamps, CancellationToken stop)
    {
        stamps.Stamp(Tenant);
        await foreach (var step in grains.GetGrain<IConversationGrain>($"{Tenant}/{conversation}").FollowAsync(turn, after, stop).WithCancellation(stop))
        {
            await response.WriteAsync(JsonSerializer.Serialize(new Line(step.Sequence, step.Text, step.Completed, step.Failure?.Kind.ToString())) + "\n", stop);
            await response.Body.FlushAsync(stop);
        }
    }

    private static IResult Json<T>(T value) => Results.Text(JsonSerializer.Serialize(value), "application/json");

    private sealed record Line(long Sequence, string Text, bool Completed, string? Failure);
}
