using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Grpc.Core;
using Grpc.Reflection.V1Alpha;
using Llava.V1;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Auth;

public sealed class AccessTests
{
    private const string Operator = "llava-default.op.0123456789abcdef";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("evil.example", null, HttpStatusCode.Forbidden)]
    [InlineData("evil.example:80", null, HttpStatusCode.Forbidden)]
    [InlineData("127.0.0.1.evil.example", null, HttpStatusCode.Forbidden)]
    [InlineData("localhost", null, HttpStatusCode.OK)]
    [InlineData("[::1]", null, HttpStatusCode.OK)]
    [InlineData("localhost", "http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("localhost", "null", HttpStatusCode.Forbidden)]
    [InlineData("localhost", "http://localhost:1", HttpStatusCode.Forbidden)]
    public async Task WithoutKeys_OnlyLoopbackNamesAreAnswered(string host, string? origin, HttpStatusCode expected)
    {
        await using var server = await GatewayServer.StartAsync();
        using var http = server.Http();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.Host = host;
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using var response = await http.SendAsync(request, Cancel);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task WithoutKeys_ThePagesOwnOriginIsAnswered()
    {
        await using var server = await GatewayServer.StartAsync();
        using var http = server.Http();
        http.DefaultRequestHeaders.Add("Origin", server.Address.GetLeftPart(UriPartial.Authority));
        using var response = await http.GetAsync("/v1/models", Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("none", HttpStatusCode.OK, "default")]
    [InlineData("sk-something", HttpStatusCode.OK, "default")]
    [InlineData("{key}", HttpStatusCode.OK, "acme")]
    [InlineData("{key}x", HttpStatusCode.Unauthorized, null)]
    [InlineData("llava-acme", HttpStatusCode.Unauthorized, null)]
    public async Task WithoutKeysNeeded_OneOfOursIsItsTenantsAllTheSame(string bearer, HttpStatusCode expected, string? tenant)
    {
        var key = "";
        await using var server = await GatewayServer.StartAsync(prepare: async grains =>
            key = (await ((Abstractions.Tenants.ITenantGrain)grains.GetGrain<Abstractions.Tenants.ITenantGrain>("acme")).CreateKeyAsync("", ["chat"], Cancel)).ApiKey);
        using var http = server.Http();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", bearer.Replace("{key}", key, StringComparison.Ordinal));
        using var response = await http.PostAsJsonAsync("/v1/chat/completions", new { model = "llava-test", messages = new[] { new { role = "user", content = "hi" } } }, Cancel);
        Assert.Equal(expected, response.StatusCode);
        Assert.Equal(tenant, server.Grains.Conversations.Keys.SingleOrDefault()?.Split('/')[0]);
        // The page is open to all, whatever is sent with it.
        using var page = await http.GetAsync("/", Cancel);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
    }

    [Fact]
    public async Task OpenAddress_WithoutKeys_RefusesToStartAndNamesTheCommand()
    {
        var fault = await Assert.ThrowsAnyAsync<Exception>(() => GatewayServer.StartAsync(address: "0.0.0.0"));
        Assert.Contains("llava tenants keys new", fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/models", 401)]
    [InlineData("/v1/files/x", 401)]
    [InlineData("/no/such/route", 401)]
    public async Task WithKeys_EveryRouteDeniesByDefault(string path, int expected)
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        using var http = server.Http();
        using var response = await http.GetAsync(path, Cancel);
        Assert.Equal(expected, (int)response.StatusCode);
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task WithKeys_ReflectionNeedsOneToo()
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        using var channel = server.Grpc();
        using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancel);
        var fault = await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext(Cancel));
        Assert.Equal(StatusCode.Unauthenticated, fault.StatusCode);
        Assert.Equal("missing_api_key", ErrorDetail.Parser.ParseFrom(fault.Trailers.GetValueBytes("llava-error-bin")).Code);
    }

    [Fact]
    public async Task TenantKey_IsVerifiedOnceThenCached_AndMayNotAdminister()
    {
        string key = "";
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator), async grains =>
            key = (await ((Abstractions.Tenants.ITenantGrain)grains.GetGrain<Abstractions.Tenants.ITenantGrain>("acme")).CreateKeyAsync("", ["chat"], Cancel)).ApiKey);
        using var http = server.Http();
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        for (var i = 0; i < 3; i++)
        {
            using var response = await http.GetAsync("/v1/models", Cancel);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.Equal(1, server.Grains.Tenants["acme"].Verifications);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key + "x");
        using var wrong = await http.GetAsync("/v1/models", Cancel);
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        using var channel = server.Grpc();
        var headers = new Metadata { { "authorization", $"Bearer {key}" } };
        var fault = await Assert.ThrowsAsync<RpcException>(() => new Llava.V1.Tenants.TenantsClient(channel).ListKeysAsync(new ListKeysRequest { Tenant = "acme" }, headers, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal(StatusCode.PermissionDenied, fault.StatusCode);
        Assert.DoesNotContain(server.Logs.Lines, line => line.Contains("secret-of", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Operator_MakesListsAndRevokesKeys()
    {
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Operator));
        using var channel = server.Grpc();
        var client = new Llava.V1.Tenants.TenantsClient(channel);
        var headers = new Metadata { { "authorization", $"Bearer {Operator}" } };
        var made = await client.CreateKeyAsync(new CreateKeyRequest { Tenant = "acme", Label = "web" }, headers, cancellationToken: Cancel);
        Assert.StartsWith("llava-acme.", made.ApiKey, StringComparison.Ordinal);
        Assert.Equal(["chat"], made.Info.Scopes);
        Assert.Single((await client.ListKeysAsync(new ListKeysRequest { Tenant = "acme" }, headers, cancellationToken: Cancel)).Keys);
        Assert.True((await client.RevokeKeyAsync(new RevokeKeyRequest { Tenant = "acme", KeyId = made.Info.KeyId }, headers, cancellationToken: Cancel)).Revoked);
        var fault = await Assert.ThrowsAsync<RpcException>(() => client.CreateKeyAsync(new CreateKeyRequest { Tenant = "no/slash" }, headers, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.InvalidArgument, "tenant must be 1 to 64 of a-z, 0-9, '-', '_'."), (fault.StatusCode, fault.Status.Detail));
    }
}
