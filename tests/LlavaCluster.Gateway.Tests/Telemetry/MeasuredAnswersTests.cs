using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Tests.Fakes;
using Microsoft.Extensions.DependencyInjection;

namespace LlavaCluster.Gateway.Tests.Telemetry;

/// <summary>Every way to an answer is measured, once.</summary>
public sealed class MeasuredAnswersTests : IAsyncLifetime
{
    private readonly Channel<string> _requests = Channel.CreateUnbounded<string>();
    private readonly MeterListener _listener = new();
    private GatewayServer _server = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        _http = _server.Http();
        var meters = _server.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == GatewayInstruments.Name && instrument.Meter.Scope == meters && instrument.Name == "gen_ai.server.request.duration")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            var read = tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value);
            _requests.Writer.TryWrite($"{read["gen_ai.request.model"]} {read.GetValueOrDefault("error.type")}".Trim());
        });
        _listener.Start();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
        _listener.Dispose();
    }

    [Theory]
    [InlineData("/v1/chat/completions", """{"model":"llava-test","messages":[{"role":"user","content":"hi"}]}""")]
    [InlineData("/v1/chat/completions", """{"model":"llava-test","messages":[{"role":"user","content":"hi"}],"stream":true}""")]
    [InlineData("/v1/responses", """{"model":"llava-test","input":"hi"}""")]
    [InlineData("/v1/responses", """{"model":"llava-test","input":"hi","stream":true}""")]
    [InlineData("/v1/responses", """{"model":"llava-test","input":"hi","store":false}""")]
    public async Task Post_IsMeasured_AndItsFailureToo(string path, string body)
    {
        Assert.Equal("llava-test", await PostAsync(path, body));
        _server.Script.Failure = new ChatFailure(ChatFailureKind.Internal, "Broken.");
        Assert.Equal("llava-test internal_error", await PostAsync(path, body));
        _server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "Too much.");
        Assert.Equal("llava-test rate_limit_exceeded", await PostAsync(path, body));
        Assert.False(_requests.Reader.TryRead(out _));
    }

    [Fact]
    public async Task Follow_OfAConversationsTurn_IsMeasuredUnlessItWasWholeBefore()
    {
        using var channel = _server.Grpc();
        var client = new Conversations.ConversationsClient(channel);
        var id = (await client.CreateAsync(new CreateConversationRequest(), cancellationToken: Cancel)).ConversationId;
        var begin = new BeginTurnRequest { ConversationId = id, Model = "llava-test", Messages = { new Message { Role = Role.User, Parts = { new Part { Text = "hi" } } } } };
        var turn = (await client.BeginTurnAsync(begin, cancellationToken: Cancel)).TurnId;
        for (var i = 0; i < 2; i++)
        {
            using var follow = client.Follow(new FollowRequest { ConversationId = id, TurnId = turn }, cancellationToken: Cancel);
            Assert.Equal(5, await follow.ResponseStream.ReadAllAsync(Cancel).CountAsync(Cancel));
        }

        Assert.Equal("llava-test", await _requests.Reader.ReadAsync(Cancel));
        Assert.False(_requests.Reader.TryRead(out _));
    }

    private async Task<string> PostAsync(string path, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(path, content, Cancel);
        await response.Content.ReadAsStringAsync(Cancel);
        return await _requests.Reader.ReadAsync(Cancel);
    }
}
