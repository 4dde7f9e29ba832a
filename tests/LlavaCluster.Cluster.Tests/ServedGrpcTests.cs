using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Reflection.V1Alpha;
using Llava.V1;
using LlavaCluster.Cluster.Tests.Support;

namespace LlavaCluster.Cluster.Tests;

/// <summary>The served gRPC surface with Grpc.Net.Client alone.</summary>
public sealed class ServedGrpcTests(ServedModel served) : IClassFixture<ServedModel>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reflection_ListsTheContract()
    {
        using var channel = GrpcChannel.ForAddress(served.Address);
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancel);
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "" }, Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        var names = call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name);
        Assert.Superset(new HashSet<string> { "llava.v1.Chat", "llava.v1.Conversations", "llava.v1.Models", "llava.v1.Tenants", "grpc.health.v1.Health" }, names.ToHashSet());
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { FileContainingSymbol = "llava.v1.Chat" }, Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        Assert.NotEmpty(call.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto);
    }

    [Fact]
    public async Task Health_Serves()
    {
        using var channel = GrpcChannel.ForAddress(served.Address);
        var health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest(), cancellationToken: Cancel);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
    }

    [Fact]
    public async Task Generate_PastItsDeadline_EndsWithThatStatus()
    {
        using var channel = GrpcChannel.ForAddress(served.Address);
        var deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(300);
        using var call = new Chat.ChatClient(channel).Generate(Ask(900, 8), deadline: deadline, cancellationToken: Cancel);
        var fault = await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.ReadAllAsync(Cancel).CountAsync(Cancel));
        Assert.Equal(StatusCode.DeadlineExceeded, fault.StatusCode);
    }

    [Fact]
    public async Task Generate_Cancelled_LeavesTheTurnCancelled()
    {
        using var channel = GrpcChannel.ForAddress(served.Address);
        var client = new Chat.ChatClient(channel);
        var request = Ask(900, 8);
        request.TurnId = Guid.NewGuid().ToString();
        using (var call = client.Generate(request, cancellationToken: Cancel))
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancel));
            Assert.True((await client.CancelAsync(new CancelRequest { TurnId = request.TurnId }, cancellationToken: Cancel)).Cancelled);
            var last = await call.ResponseStream.ReadAllAsync(Cancel).LastAsync(Cancel);
            Assert.True(last.Completed);
            Assert.InRange(last.Usage.CompletionTokens, 1, (8 * 900) - 1);
        }
    }

    private static GenerateRequest Ask(int tokens, int choices) => new()
    {
        Model = ServedModel.Name,
        Messages = { new Message { Role = Role.User, Parts = { new Part { Text = "hi" } } } },
        // The bias keeps the end token from being drawn, so that only the bound ends the answer.
        Options = new GenerationOptions { MaxTokens = tokens, Choices = choices, LogitBias = { [2] = -100 } },
    };
}
