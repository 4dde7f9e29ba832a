using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Google.Protobuf;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Grpc;

public sealed class ChatServiceTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private GrpcChannel _channel = null!;
    private Chat.ChatClient _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        _channel = _server.Grpc();
        _chat = new Chat.ChatClient(_channel);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Complete_AnswersOnTheSamePortAsHttp()
    {
        var response = await _chat.CompleteAsync(Ask("What is it?"), cancellationToken: Cancel);
        Assert.Equal(("A red apple.", Llava.V1.FinishReason.Stop), (response.Choices[0].Text, response.Choices[0].Finish));
        Assert.Equal((20, 9, 4, 3), (response.Usage.PromptTokens, response.Usage.ImageTokens, response.Usage.CachedTokens, response.Usage.CompletionTokens));
        using var http = _server.Http();
        Assert.Contains("llava-test", await http.GetStringAsync("/v1/models", Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_WithTurnId_ResumesAfterTheLastSeenEvent()
    {
        var request = Ask("What is it?");
        request.TurnId = Guid.NewGuid().ToString();
        var whole = await ReadAsync(request);
        request.ResumeFrom = 2;
        var rest = await ReadAsync(request);
        Assert.Equal([1, 2, 3, 4, 5], whole.Select(step => step.Sequence));
        Assert.Equal(whole[2..], rest);
        Assert.Single(_server.Script.Begun);
    }

    [Fact]
    public async Task Answers_OfAnAdapter_NameItsVersionOnce()
    {
        Assert.Equal("", (await _chat.CompleteAsync(Ask("What is it?"), cancellationToken: Cancel)).SystemFingerprint);
        var version = Abstractions.Identity.ObjectId.Of([1]);
        _server.Script.Adapter = version;

        Assert.Equal(version.Value, (await _chat.CompleteAsync(Ask("What is it?"), cancellationToken: Cancel)).SystemFingerprint);
        Assert.Equal([version.Value, "", "", "", ""], (await ReadAsync(Ask("What is it?"))).Select(step => step.SystemFingerprint));
        var conversations = new Conversations.ConversationsClient(_channel);
        var id = (await conversations.CreateAsync(new CreateConversationRequest(), cancellationToken: Cancel)).ConversationId;
        var begun = await conversations.BeginTurnAsync(new BeginTurnRequest { ConversationId = id, Model = "llava-test", Messages = { Ask("What is it?").Messages } }, cancellationToken: Cancel);
        Assert.Equal(version.Value, begun.SystemFingerprint);
        var history = await conversations.HistoryAsync(new HistoryRequest { ConversationId = id }, cancellationToken: Cancel);
        Assert.Equal(version.Value, Assert.Single(history.Turns).SystemFingerprint);
    }

    [Fact]
    public async Task Generate_WithDeadline_TellsTheTurn()
    {
        var deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1);
        await _chat.CompleteAsync(Ask("hi"), deadline: deadline, cancellationToken: Cancel);
        Assert.NotNull(_server.Script.Last.Deadline);
        Assert.InRange(_server.Script.Last.Deadline.Value, deadline.AddMinutes(-1), deadline.AddMinutes(1));
    }

    [Fact]
    public async Task Generate_Cancelled_StopsTheTurn()
    {
        _server.Script.Gated = true;
        _server.Script.Release(1);
        using var call = _chat.Generate(Ask("hi"), cancellationToken: Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        call.Dispose();
        var (turn, running) = await _server.Script.Cancellations.Reader.ReadAsync(Cancel);
        Assert.Equal((_server.Script.Last.TurnId, true), (turn, running));
    }

    [Fact]
    public async Task Complete_WithWrongField_NamesItInTheDetail()
    {
        var request = Ask("hi");
        request.Options = new Llava.V1.GenerationOptions { Temperature = double.NaN };
        var fault = await Assert.ThrowsAsync<RpcException>(() => _chat.CompleteAsync(request, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.InvalidArgument, "temperature must be between 0 and 2; was NaN."), (fault.StatusCode, fault.Status.Detail));
        var detail = ErrorDetail.Parser.ParseFrom(fault.Trailers.GetValueBytes("llava-error-bin"));
        Assert.Equal(("temperature", "invalid_request"), (detail.Field, detail.Code));
    }

    [Fact]
    public async Task Complete_WithTheNilTurnId_IsRefusedByField()
    {
        var request = Ask("hi");
        request.TurnId = Guid.Empty.ToString();
        var fault = await Assert.ThrowsAsync<RpcException>(() => _chat.CompleteAsync(request, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.InvalidArgument, "turn_id must be a UUID other than the nil one."), (fault.StatusCode, fault.Status.Detail));
    }

    [Fact]
    public async Task Complete_OverQuota_SaysWhenToRetry()
    {
        _server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "tokens_per_minute must be at most 100; was 120.", null, TimeSpan.FromSeconds(12));
        var fault = await Assert.ThrowsAsync<RpcException>(() => _chat.CompleteAsync(Ask("hi"), cancellationToken: Cancel).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, fault.StatusCode);
        Assert.Equal(12, ErrorDetail.Parser.ParseFrom(fault.Trailers.GetValueBytes("llava-error-bin")).RetryAfterSeconds);
    }

    [Fact]
    public async Task Conversation_BranchesAndKeepsItsHistory()
    {
        var conversations = new Conversations.ConversationsClient(_channel);
        var uploaded = await conversations.UploadImageAsync(new UploadImageRequest { Content = ByteString.CopyFrom(TestImages.Png()) }, cancellationToken: Cancel);
        Assert.Equal((4, 3, "image/png"), (uploaded.Width, uploaded.Height, uploaded.MediaType));
        var id = (await conversations.CreateAsync(new CreateConversationRequest(), cancellationToken: Cancel)).ConversationId;
        var first = await BeginAsync(conversations, id, "", new Part { ImageId = uploaded.ImageId }, new Part { Text = "What is it?" });
        var second = await BeginAsync(conversations, id, first, new Part { Text = "And its colour?" });
        using var follow = conversations.Follow(new FollowRequest { ConversationId = id, TurnId = second }, cancellationToken: Cancel);
        var text = string.Concat(await follow.ResponseStream.ReadAllAsync(Cancel).Select(step => step.Text).ToArrayAsync(Cancel));
        var history = await conversations.HistoryAsync(new HistoryRequest { ConversationId = id }, cancellationToken: Cancel);
        Assert.Equal("A red apple.", text);
        Assert.Equal([("", first), (first, second)], history.Turns.Select(turn => (turn.ParentTurnId, turn.TurnId)));
        Assert.Equal(uploaded.ImageId, history.Turns[0].Messages[0].Parts[0].ImageId);
        Assert.True((await conversations.DeleteAsync(new DeleteConversationRequest { ConversationId = id }, cancellationToken: Cancel)).Deleted);
    }

    [Fact]
    public async Task Health_SaysServing()
    {
        var health = await new Health.HealthClient(_channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancel);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
    }

    [Fact]
    public async Task UnknownService_IsUnimplemented()
    {
        var method = new Method<HealthCheckRequest, HealthCheckResponse>(
            MethodType.Unary, "llava.v9.Chat", "Nothing", Marshallers.Create(message => message.ToByteArray(), HealthCheckRequest.Parser.ParseFrom), Marshallers.Create(message => message.ToByteArray(), HealthCheckResponse.Parser.ParseFrom));
        var call = _channel.CreateCallInvoker().AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Cancel), new HealthCheckRequest());
        var fault = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal(StatusCode.Unimplemented, fault.StatusCode);
    }

    [Theory]
    [InlineData((32 << 20) - 100, StatusCode.InvalidArgument, "content must be at most 20971520 bytes; was 33554332.")]
    [InlineData(32 << 20, StatusCode.ResourceExhausted, "Received message exceeds the maximum configured message size.")]
    public async Task Message_TooLarge_HasAStatus(int bytes, StatusCode status, string detail)
    {
        using var channel = GrpcChannel.ForAddress(_server.Address, new GrpcChannelOptions { MaxSendMessageSize = null });
        var request = new UploadImageRequest { Content = UnsafeByteOperations.UnsafeWrap(new byte[bytes]) };
        var fault = await Assert.ThrowsAsync<RpcException>(() => new Conversations.ConversationsClient(channel).UploadImageAsync(request, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((status, detail), (fault.StatusCode, fault.Status.Detail));
    }

    [Fact]
    public async Task BeginTurn_InAnUnknownConversation_IsNotFound()
    {
        var conversations = new Conversations.ConversationsClient(_channel);
        var fault = await Assert.ThrowsAsync<RpcException>(() => BeginAsync(conversations, "never-made", "", new Part { Text = "hi" }));
        Assert.Equal((StatusCode.NotFound, "conversation_id"), (fault.StatusCode, ErrorDetail.Parser.ParseFrom(fault.Trailers.GetValueBytes("llava-error-bin")).Field));
        Assert.Empty(_server.Script.Begun);
    }

    private static GenerateRequest Ask(string text)
    {
        var request = new GenerateRequest { Model = "llava-test" };
        request.Messages.Add(new Message { Role = Role.User, Parts = { new Part { Text = text } } });
        return request;
    }

    private static async Task<string> BeginAsync(Conversations.ConversationsClient client, string conversation, string parent, params Part[] parts)
    {
        var request = new BeginTurnRequest { ConversationId = conversation, ParentTurnId = parent, Model = "llava-test" };
        request.Messages.Add(new Message { Role = Role.User, Parts = { parts } });
        return (await client.BeginTurnAsync(request, cancellationToken: Cancel)).TurnId;
    }

    private async Task<Llava.V1.TurnEvent[]> ReadAsync(GenerateRequest request)
    {
        using var call = _chat.Generate(request, cancellationToken: Cancel);
        return await call.ResponseStream.ReadAllAsync(Cancel).ToArrayAsync(Cancel);
    }
}
