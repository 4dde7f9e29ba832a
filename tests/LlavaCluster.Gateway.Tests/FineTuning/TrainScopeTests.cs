using System.Net;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>Who may train.</summary>
public sealed class TrainScopeTests
{
    private const string Operator = "llava-default.op.0123456789abcdef";
    private const string Job = "/v1/fine_tuning/jobs/ftjob-00000000000000000000000000000000";
    private const string Version = "/v1/adapters/formal/versions/0000000000000000000000000000000000000000000000000000000000000000/content";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("POST", "/v1/fine_tuning/jobs", 415)]
    [InlineData("GET", "/v1/fine_tuning/jobs", 200)]
    [InlineData("GET", Job, 404)]
    [InlineData("POST", Job + "/cancel", 404)]
    [InlineData("POST", Job + "/pause", 404)]
    [InlineData("POST", Job + "/resume", 404)]
    [InlineData("GET", Job + "/events", 404)]
    [InlineData("GET", Job + "/checkpoints", 404)]
    [InlineData("GET", "/v1/adapters", 200)]
    [InlineData("POST", "/v1/adapters", 415)]
    [InlineData("GET", Version, 404)]
    [InlineData("POST", "/v1/adapters/formal/traffic", 415)]
    [InlineData("DELETE", "/v1/models/llava-test:formal", 404)]
    public async Task Route_IsForKeysThatMayTrain(string method, string path, int allowed)
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        Assert.Equal(401, await AskAsync(server, method, path, null));
        Assert.Equal(403, await AskAsync(server, method, path, await Api.KeyAsync(server.Grains, "acme", "chat")));
        Assert.Equal(allowed, await AskAsync(server, method, path, await Api.KeyAsync(server.Grains, "acme", "train")));
        Assert.Equal(allowed, await AskAsync(server, method, path, await Api.KeyAsync(server.Grains, "acme", "admin")));
        Assert.Equal(allowed, await AskAsync(server, method, path, Operator));
    }

    [Theory]
    [InlineData("/v1/files")]
    [InlineData("/v1/models")]
    public async Task Route_ThatChatsAndTrainingsShare_IsForBothAndForNobodyElse(string path)
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        Assert.Equal(401, await AskAsync(server, "GET", path, null));
        Assert.Equal(200, await AskAsync(server, "GET", path, await Api.KeyAsync(server.Grains, "acme", "chat")));
        Assert.Equal(200, await AskAsync(server, "GET", path, await Api.KeyAsync(server.Grains, "acme", "train")));
        Assert.Equal(403, await AskAsync(server, "GET", path, await Api.KeyAsync(server.Grains, "acme")));
    }

    [Fact]
    public async Task AKeyThatMayTrain_MayNotChat()
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        Assert.Equal(403, await AskAsync(server, "POST", "/v1/chat/completions", await Api.KeyAsync(server.Grains, "acme", "train")));
    }

    [Fact]
    public async Task Grpc_IsForKeysThatMayTrain()
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        using var channel = server.Grpc();
        var chat = new Metadata { { "authorization", $"Bearer {await Api.KeyAsync(server.Grains, "acme", "chat")}" } };
        var train = new Metadata { { "authorization", $"Bearer {await Api.KeyAsync(server.Grains, "acme", "train")}" } };
        var jobs = new Llava.V1.Training.TrainingClient(channel);
        var adapters = new Llava.V1.Adapters.AdaptersClient(channel);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => jobs.ListJobsAsync(new ListJobsRequest(), chat, cancellationToken: Cancel).ResponseAsync)).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => adapters.ListAsync(new ListAdaptersRequest(), chat, cancellationToken: Cancel).ResponseAsync)).StatusCode);
        Assert.Empty((await jobs.ListJobsAsync(new ListJobsRequest(), train, cancellationToken: Cancel)).Jobs);
        Assert.Empty((await adapters.ListAsync(new ListAdaptersRequest(), train, cancellationToken: Cancel)).Adapters);
    }

    [Fact]
    public async Task Operator_MakesKeysThatTrain()
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        using var channel = server.Grpc();
        var headers = new Metadata { { "authorization", $"Bearer {Operator}" } };
        var client = new Llava.V1.Tenants.TenantsClient(channel);
        var made = await client.CreateKeyAsync(new CreateKeyRequest { Tenant = "acme", Scopes = { "train" } }, headers, cancellationToken: Cancel);
        Assert.Equal(["train"], made.Info.Scopes);
        var fault = await Assert.ThrowsAsync<RpcException>(() => client.CreateKeyAsync(new CreateKeyRequest { Tenant = "acme", Scopes = { "tune" } }, headers, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal("scopes must hold only chat, train, admin; held \"tune\".", fault.Status.Detail);
    }

    private static async Task<int> AskAsync(GatewayServer server, string method, string path, string? key)
    {
        using var api = Api.Of(server.Address, key);
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await api.RawAsync(request);
        return (int)response.StatusCode;
    }
}
