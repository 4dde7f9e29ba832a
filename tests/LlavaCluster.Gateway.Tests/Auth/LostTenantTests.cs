using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Gateway.Tests.Fakes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Tests.Auth;

/// <summary>Keys whose tenant's node is gone.</summary>
public sealed class LostTenantTests : IAsyncLifetime
{
    private const string Operator = "llava-default.op.0123456789abcdef";
    private readonly FakeTimeProvider _time = new();
    private GatewayServer _server = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private FakeTenant Tenant => _server.Grains.Tenants["acme"];

    public async ValueTask InitializeAsync()
    {
        var key = "";
        _server = await GatewayServer.StartAsync(
            options =>
            {
                options.StaticKeys.Add(Operator);
                options.RecoveryPatience = TimeSpan.Zero;
            },
            async grains => key = (await ((ITenantGrain)grains.GetGrain<ITenantGrain>("acme")).CreateKeyAsync("", ["chat"], Cancel)).ApiKey,
            services => services.AddSingleton<TimeProvider>(_time));
        _http = _server.Http();
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Key_ThatCannotBeChecked_IsUnavailableAndNotWrong()
    {
        Lose();
        using var response = await _http.GetAsync("/v1/models", Cancel);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, 1.0), (response.StatusCode, response.Headers.RetryAfter?.Delta?.TotalSeconds));
        Assert.Contains("tenant_unreachable", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        Tenant.BeforeCall = () => { };
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
    }

    [Fact]
    public async Task Key_ThatHeld_IsTakenForABoundedTimeWhileItsTenantIsLost()
    {
        var options = new GatewayOptions();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
        Lose();
        _time.Advance(options.KeyCacheLifetime);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (await StatusAsync(), await StatusAsync()));
        Assert.Equal(2, Tenant.Verifications);
        _time.Advance(options.StaleKeyLifetime);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync());
    }

    [Fact]
    public async Task Key_RevokedWhileItsTenantWasLost_IsWrongOnceItIsBack()
    {
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
        Lose();
        await Tenant.RevokeKeyAsync("key1", Cancel);
        _time.Advance(new GatewayOptions().KeyCacheLifetime);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
        Tenant.BeforeCall = () => { };
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync());
    }

    [Fact]
    public async Task Operator_AskingALostTenant_IsToldThatItIs()
    {
        Lose();
        using var channel = _server.Grpc();
        var client = new Llava.V1.Tenants.TenantsClient(channel);
        var headers = new Metadata { { "authorization", $"Bearer {Operator}" } };
        var list = await Assert.ThrowsAsync<RpcException>(() => client.ListKeysAsync(new ListKeysRequest { Tenant = "acme" }, headers, cancellationToken: Cancel).ResponseAsync);
        var create = await Assert.ThrowsAsync<RpcException>(() => client.CreateKeyAsync(new CreateKeyRequest { Tenant = "acme" }, headers, cancellationToken: Cancel).ResponseAsync);
        Assert.Equal((StatusCode.Unavailable, StatusCode.Unavailable), (list.StatusCode, create.StatusCode));
    }

    private void Lose() => Tenant.BeforeCall = () => throw new SiloUnavailableException("gone");

    private async Task<HttpStatusCode> StatusAsync()
    {
        using var response = await _http.GetAsync("/v1/models", Cancel);
        return response.StatusCode;
    }
}
