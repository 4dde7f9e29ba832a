using Grpc.Net.Client;
using Llava.V1;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>A whole front for the tests of a class; each test takes tenants of its own.</summary>
public sealed class FrontFixture : IAsyncLifetime
{
    private GrpcChannel _channel = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    internal RealFront Front { get; private set; } = null!;

    internal GrpcChannel Grpc => _channel;

    public async ValueTask InitializeAsync()
    {
        Front = await RealFront.StartAsync(options => options.Training.MaxAdapterBytes = 10_000);
        _channel = GrpcChannel.ForAddress(Front.Address);
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await Front.DisposeAsync();
    }

    internal async Task<string> KeyAsync(string tenant) =>
        (await new Llava.V1.Tenants.TenantsClient(_channel).CreateKeyAsync(new CreateKeyRequest { Tenant = tenant, Scopes = { "train" } }, cancellationToken: Cancel)).ApiKey;

    internal async Task<Api> ApiAsync(string tenant) => Api.Of(Front.Address, await KeyAsync(tenant));
}
