using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Client;
using LlavaCluster.Gateway.Tests.Fakes;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using ChatRole = Microsoft.Extensions.AI.ChatRole;

namespace LlavaCluster.Gateway.Tests.Clients;

public sealed class LlavaChatClientTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private CuttableProxy _proxy = null!;
    private LlavaConnection _connection = null!;
    private LlavaChatClient _client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        _proxy = new CuttableProxy(_server.Address);
        _connection = new LlavaConnection(_proxy.Address);
        _client = new LlavaChatClient(_connection, "llava-test", new LlavaChatOptions { Pause = TimeSpan.FromMilliseconds(1) });
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _connection.Dispose();
        await _proxy.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task GetResponse_SendsPicturesAndOptions_AndCountsTokens()
    {
        var png = TestImages.Png();
        var options = new ChatOptions
        {
            Instructions = "Be brief.", Temperature = 0.7f, TopP = 0.9f, TopK = 5, MaxOutputTokens = 7, Seed = 3, StopSequences = ["END"], FrequencyPenalty = 0.1f, PresencePenalty = -0.1f,
            ResponseFormat = ChatResponseFormat.Json, AdditionalProperties = new() { [LlavaProperties.MinP] = 0.25, [LlavaProperties.RepetitionPenalty] = 1.5 },
        };
        var response = await _client.GetResponseAsync([new ChatMessage(ChatRole.User, [new TextContent("What is it?"), new DataContent(png, "image/png")])], options, Cancel);
        Assert.Equal(("A red apple.", ChatFinishReason.Stop), (response.Text, response.FinishReason));
        Assert.Equal((20L, 4L, 3L, 23L, 9L), (response.Usage!.InputTokenCount, response.Usage.CachedInputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount, response.Usage.AdditionalCounts!["image_tokens"]));
        var asked = _server.Script.Last;
        Assert.Equal(asked.TurnId.ToString(), response.ResponseId);
        Assert.Equal(["Be brief.", "What is it?", null], asked.Messages.SelectMany(message => message.Parts).Select(part => part.Text));
        Assert.Equal(ImageId.Of(png), asked.Messages[1].Parts[1].Image);
        Assert.Equal((0.7, 0.9, 5, 7, 3UL), (asked.Options.Temperature, asked.Options.TopP, asked.Options.TopK, asked.Options.MaxTokens, asked.Options.Seed));
        Assert.Equal((0.1, -0.1, 0.25, 1.5, "END"), (asked.Options.FrequencyPenalty, asked.Options.PresencePenalty, asked.Options.MinP, asked.Options.RepetitionPenalty, asked.Options.Stop.Single()));
        Assert.Equal((ConstraintKind.JsonSchema, ""), (asked.Options.Constraint!.Kind, asked.Options.Constraint.Texts.Single()));
    }

    [Fact]
    public async Task Stream_WhoseConnectionIsCut_GoesOnWithoutGapOrRepeat()
    {
        _server.Script.Gated = true;
        _server.Script.Release(2);
        await using var updates = _client.GetStreamingResponseAsync("What is it?", cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await updates.MoveNextAsync());
        var seen = new List<ChatResponseUpdate> { updates.Current };
        Assert.True(await updates.MoveNextAsync());
        seen.Add(updates.Current);
        _proxy.Cut();
        var next = updates.MoveNextAsync();
        _server.Script.Release(3);
        for (var more = await next; more; more = await updates.MoveNextAsync())
        {
            seen.Add(updates.Current);
        }

        Assert.Equal(["A ", "red ", "apple.", "", ""], seen.Select(update => update.Text));
        Assert.Equal([1, 2, 3, 4, 5], seen.Select(update => ((Llava.V1.TurnEvent)update.RawRepresentation!).Sequence));
        Assert.Single(_server.Script.Begun);
    }

    [Fact]
    public async Task Stream_CutAfterALongSilence_GoesOn()
    {
        var time = new FakeTimeProvider();
        using var client = new LlavaChatClient(_connection, "llava-test", new LlavaChatOptions { Pause = TimeSpan.Zero, Time = time });
        _server.Script.Gated = true;
        _server.Script.Release(1);
        await using var updates = client.GetStreamingResponseAsync("What is it?", cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await updates.MoveNextAsync());
        var next = updates.MoveNextAsync();
        time.Advance(new LlavaChatOptions().Patience * 2);
        _proxy.Cut();
        _server.Script.Release(4);
        Assert.True(await next);
        Assert.Equal("red ", updates.Current.Text);
    }

    [Fact]
    public async Task Stream_ResumedByTurnAndSequence_BringsTheRest()
    {
        var turn = Guid.NewGuid();
        var options = new ChatOptions { AdditionalProperties = new() { [LlavaProperties.TurnId] = turn } };
        await _client.GetResponseAsync("What is it?", options, Cancel);
        options.AdditionalProperties[LlavaProperties.ResumeFrom] = 2L;
        Assert.Equal("apple.", (await _client.GetResponseAsync("What is it?", options, Cancel)).Text);
        Assert.Equal(turn, Assert.Single(_server.Script.Begun).TurnId);
    }

    [Fact]
    public async Task Stream_LeftEarly_StopsTheTurn()
    {
        _server.Script.Gated = true;
        _server.Script.Release(1);
        await foreach (var _ in _client.GetStreamingResponseAsync("hi", cancellationToken: Cancel))
        {
            break;
        }

        Assert.Equal((_server.Script.Last.TurnId, true), await _server.Script.Cancellations.Reader.ReadAsync(Cancel));
    }

    [Fact]
    public async Task GetResponse_ThatIsRefused_ThrowsWithCodeFieldAndRetry()
    {
        var wrong = await Assert.ThrowsAsync<LlavaException>(() => _client.GetResponseAsync("hi", new ChatOptions { Temperature = 3 }, Cancel));
        Assert.Equal(("temperature must be between 0 and 2; was 3.", "invalid_request", "temperature", null), (wrong.Message, wrong.Code, wrong.Field, wrong.RetryAfter));
        _server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "Too much.", null, TimeSpan.FromSeconds(12));
        var quota = await Assert.ThrowsAsync<LlavaException>(() => _client.GetResponseAsync("hi", cancellationToken: Cancel));
        Assert.Equal(("rate_limit_exceeded", TimeSpan.FromSeconds(12)), (quota.Code, quota.RetryAfter));
    }

    [Fact]
    public async Task GetResponse_WhereNoServerIs_FailsAtOnce()
    {
        await _server.DisposeAsync();
        await _proxy.DisposeAsync();
        var fault = await Assert.ThrowsAsync<LlavaException>(() => _client.GetResponseAsync("hi", cancellationToken: Cancel));
        Assert.Equal("connection_lost", fault.Code);
        _server = await GatewayServer.StartAsync();
        _proxy = new CuttableProxy(_server.Address);
    }

    [Fact]
    public async Task GetResponse_WithToolsOrSound_SaysWhatIsNotSupported()
    {
        var tools = new ChatOptions { Tools = [new HostedWebSearchTool()] };
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync("hi", tools, Cancel));
        var sound = new ChatMessage(ChatRole.User, [new DataContent(new byte[] { 1 }, "audio/wav")]);
        var fault = await Assert.ThrowsAsync<NotSupportedException>(() => _client.GetResponseAsync(sound, cancellationToken: Cancel));
        Assert.Equal("A message must hold text and images; held DataContent.", fault.Message);
    }
}
