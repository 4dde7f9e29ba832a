using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Gateway.Tests.Fakes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Tests.Turns;

/// <summary>Conversations whose node is gone: not to be reached is not the same as not to be.</summary>
public sealed class LostConversationTests
{
    private const string Turn = "0196a0000000700080000000000000aa";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/v1/conversations/conv_x", null)]
    [InlineData("GET", "/v1/conversations/conv_x/items", null)]
    [InlineData("GET", "/v1/conversations/conv_x/turns", null)]
    [InlineData("DELETE", "/v1/conversations/conv_x", null)]
    [InlineData("POST", "/v1/conversations", "{}")]
    [InlineData("GET", $"/v1/responses/resp_{Turn}_x", null)]
    [InlineData("GET", $"/v1/responses/resp_{Turn}_x?stream=true", null)]
    [InlineData("DELETE", $"/v1/responses/resp_{Turn}_x", null)]
    [InlineData("POST", $"/v1/responses/resp_{Turn}_x/cancel", null)]
    [InlineData("POST", "/v1/responses", """{"model":"llava-test","input":"hi"}""")]
    [InlineData("POST", "/v1/responses", """{"model":"llava-test","input":"hi","store":false}""")]
    [InlineData("POST", "/v1/responses", """{"model":"llava-test","input":"hi","conversation":"conv_x"}""")]
    [InlineData("POST", "/v1/responses", $$"""{"model":"llava-test","input":"hi","previous_response_id":"resp_{{Turn}}_x"}""")]
    [InlineData("GET", $"/v1/chat/completions/chatcmpl-{Turn}/events", null)]
    public async Task Call_OfAConversationThatCannotBeReached_IsUnavailable(string method, string path, string? body)
    {
        await using var server = await StartLostAsync();
        using var http = server.Http();
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : JsonContent.Create(JsonNode.Parse(body)) };
        using var response = await http.SendAsync(request, Cancel);
        var error = JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancel))!["error"]!;
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "model_unavailable", 1.0), (response.StatusCode, (string)error["code"]!, response.Headers.RetryAfter?.Delta?.TotalSeconds));
    }

    [Fact]
    public async Task Delete_OfAResponseWhoseConversationIsLostMeanwhile_IsUnavailable()
    {
        await using var server = await GatewayServer.StartAsync(options => options.RecoveryPatience = TimeSpan.Zero);
        using var http = server.Http();
        using var posted = await http.PostAsJsonAsync("/v1/responses", new { model = "llava-test", input = "hi" }, Cancel);
        var id = (string)JsonNode.Parse(await posted.Content.ReadAsStringAsync(Cancel))!["id"]!;
        var calls = 0;
        server.Script.BeforeCall = _ =>
        {
            if (++calls == 2)
            {
                throw new SiloUnavailableException("gone");
            }
        };
        using var deleted = await http.DeleteAsync($"/v1/responses/{id}", Cancel);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, 2), (deleted.StatusCode, calls));
    }

    [Fact]
    public async Task GrpcCall_OfAConversationThatCannotBeReached_IsUnavailable()
    {
        await using var server = await StartLostAsync();
        using var channel = server.Grpc();
        var client = new Conversations.ConversationsClient(channel);
        var turn = Guid.NewGuid().ToString();
        var begin = new BeginTurnRequest { ConversationId = "x", Model = "llava-test", Messages = { new Message { Role = Role.User, Parts = { new Part { Text = "hi" } } } } };
        Func<Task>[] calls =
        [
            () => client.HistoryAsync(new HistoryRequest { ConversationId = "x" }, cancellationToken: Cancel).ResponseAsync,
            () => client.DeleteAsync(new DeleteConversationRequest { ConversationId = "x" }, cancellationToken: Cancel).ResponseAsync,
            () => client.CancelTurnAsync(new CancelTurnRequest { ConversationId = "x", TurnId = turn }, cancellationToken: Cancel).ResponseAsync,
            () => client.BeginTurnAsync(begin, cancellationToken: Cancel).ResponseAsync,
            () => new Chat.ChatClient(channel).CancelAsync(new CancelRequest { TurnId = turn }, cancellationToken: Cancel).ResponseAsync,
        ];
        foreach (var call in calls)
        {
            Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
        }
    }

    [Fact]
    public async Task Follow_LostAfterALongSilence_GoesOn()
    {
        var time = new FakeTimeProvider();
        await using var server = await GatewayServer.StartAsync(services: services => services.AddSingleton<TimeProvider>(time));
        server.Script.Gated = true;
        server.Script.Release(1);
        var losses = 0;
        server.Script.BeforeEvent = number =>
        {
            if (number == 2 && losses++ == 0)
            {
                throw new SiloUnavailableException("gone");
            }
        };
        using var channel = server.Grpc();
        var request = new GenerateRequest { Model = "llava-test", Messages = { new Message { Role = Role.User, Parts = { new Part { Text = "hi" } } } } };
        using var call = new Chat.ChatClient(channel).Generate(request, cancellationToken: Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));

        time.Advance(new GatewayOptions().RecoveryPatience * 2);
        server.Script.Release(4);
        var rest = call.ResponseStream.ReadAllAsync(Cancel).Select(step => step.Text).ToArrayAsync(Cancel).AsTask();
        while (!rest.IsCompleted)
        {
            // The pause before it is followed again.
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        Assert.Equal("red apple.", string.Concat(await rest));
        Assert.Equal(2, losses);
    }

    private static async Task<GatewayServer> StartLostAsync()
    {
        var server = await GatewayServer.StartAsync(options => options.RecoveryPatience = TimeSpan.Zero);
        server.Script.BeforeCall = _ => throw new SiloUnavailableException("gone");
        return server;
    }
}
