using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Hosting;


namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Decides once, when the server has its addresses, whether callers need keys: always, except on loopback as long as nobody made one.
/// Until then every request is refused. An open address without any key stops the process.
/// </summary>
internal sealed class AccessPolicy(IServer server, KeyVerifier keys, TenantGrains tenants) : IHostedLifecycleService
{
    public enum Mode
    {
        Undecided,
        OwnMachineOnly,
        Keys,
    }

    public Mode Current { get; private set; }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        var open = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault(address => !IsLoopback(address));
        var hasKeys = keys.HasStaticKeys || await tenants.HasAdminKeyAsync(cancellationToken);
        if (open is not null && !hasKeys)
        {
            throw new InvalidOperationException(OpenAddress.Refusal(open));
        }

        Current = hasKeys ? Mode.Keys : Mode.OwnMachineOnly;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Kestrel writes "any address" as "[::]", "+" or "*" in its address, which no loopback name is.
    private static bool IsLoopback(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && LoopbackGuard.IsLoopbackName(uri.Host);
}
