using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Failures;

/// <summary>Every kind of failure as a client of either protocol sees it. The table is written out again here, because it is a promise to clients.</summary>
public sealed class FailureTableTests
{
    private const string Invalid = "invalid_request_error";
    private const string Server = "server_error";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<ChatFailureKind, int, StatusCode, string, string, int?> Rows => new()
    {
        { ChatFailureKind.InvalidRequest, 400, StatusCode.InvalidArgument, Invalid, "invalid_request", null },
        { ChatFailureKind.NotFound, 404, StatusCode.NotFound, Invalid, "not_found", null },
        { ChatFailureKind.Conflict, 409, StatusCode.AlreadyExists, Invalid, "conflict", null },
        { ChatFailureKind.ModelNotFound, 404, StatusCode.NotFound, Invalid, "model_not_found", null },
        { ChatFailureKind.ContextExceeded, 400, StatusCode.OutOfRange, Invalid, "context_length_exceeded", null },
        { ChatFailureKind.QuotaExceeded, 429, StatusCode.ResourceExhausted, "rate_limit_error", "rate_limit_exceeded", null },
        { ChatFailureKind.Overloaded, 503, StatusCode.ResourceExhausted, Server, "overloaded", 1 },
        { ChatFailureKind.ModelUnavailable, 503, StatusCode.Unavailable, Server, "model_unavailable", 1 },
        { ChatFailureKind.DeadlineExceeded, 504, StatusCode.DeadlineExceeded, Server, "deadline_exceeded", null },
        { ChatFailureKind.Cancelled, 499, StatusCode.Cancelled, Invalid, "cancelled", null },
        { ChatFailureKind.StorageFull, 507, StatusCode.Unavailable, Server, "storage_full", null },
        { ChatFailureKind.Internal, 500, StatusCode.Internal, Server, "internal_error", null },
    };

    [Fact]
    public void Rows_HoldEveryKind() =>
        Assert.Equal(Enum.GetValues<ChatFailureKind>(), Rows.Select(row => row.Data.Item1).Order());

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task Failure_IsTheSameInHttpAndGrpc(ChatFailureKind kind, int http, StatusCode grpc, string type, string code, int? retryAfter)
    {
        await using var server = await GatewayServer.StartAsync();
        server.Script.Refusal = new ChatFailure(kind, "The rule; was 7.", "messages");
        using var client = server.Http();
        using var response = await client.PostAsJsonAsync("/v1/chat/completions", new { model = "llava-test", messages = new[] { new { role = "user", content = "hi" } } }, Cancel);
        var error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("error");
        Assert.Equal(http, (int)response.StatusCode);
        Assert.Equal(
            ("The rule; was 7.", type, "messages", code),
            (error.GetProperty("message").GetString(), error.GetProperty("type").GetString(), error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
        Assert.Equal(retryAfter, response.Headers.RetryAfter?.Delta?.TotalSeconds);

        using var channel = server.Grpc();
        var request = new GenerateRequest { Model = "llava-test", Messages = { new Message { Role = Role.User, Parts = { new Part { Text = "hi" } } } } };
        var fault = await Assert.ThrowsAsync<RpcException>(() => new Chat.ChatClient(channel).CompleteAsync(request, cancellationToken: Cancel).ResponseAsync);
        var detail = ErrorDetail.Parser.ParseFrom(fault.Trailers.GetValueBytes("llava-error-bin"));
        Assert.Equal((grpc, "The rule; was 7."), (fault.StatusCode, fault.Status.Detail));
        Assert.Equal((code, "The rule; was 7.", "messages", (double)(retryAfter ?? 0)), (detail.Code, detail.Message, detail.Field, detail.RetryAfterSeconds));
    }
}
