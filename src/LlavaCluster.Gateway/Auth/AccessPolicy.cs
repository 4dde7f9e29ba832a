using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Hosting;

namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Decides once, when the server has its addresses, whether callers need keys: always, except on loopback as long as nobody made one.
/// Until then every request is refused. An open address without any key stops the process.
/// </summary>
internal sealed class AccessPolicy(IServer server, KeyVerifier keys, TenantGrains tenants, GrainCalls calls, TenantDoor door, AccessRole role) : IHostedLifecycleService
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
        if (role == AccessRole.Operations)
        {
            Current = keys.HasStaticKeys || open is not null ? Mode.Keys : Mode.OwnMachineOnly;
            return;
        }

        var hasKeys = keys.HasStaticKeys || await HasAdminKeyAsync(cancellationToken);
        if (open is not null && !hasKeys)
        {
            throw new InvalidOperationException(OpenAddress.Refusal(open));
        }

        await door.BeginAsync(cancellationToken);
        Current = hasKeys ? Mode.Keys : Mode.OwnMachineOnly;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Kestrel writes "any address" as "[::]", "+" or "*" in its address, which no loopback name is.
    private static bool IsLoopback(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && LoopbackGuard.IsLoopbackName(uri.Host);

    private async Task<bool> HasAdminKeyAsync(CancellationToken cancellationToken)
    {
        var asked = await calls.RepeatAsync(() => tenants.HasAdminKeyAsync(cancellationToken), cancellationToken);
        return asked.IsFailure(out var lost, out var has) ? throw new InvalidOperationException($"Whether there are API keys cannot be told. {lost.Message}") : has;
    }
}

/// <summary>What a process shows.</summary>
internal enum AccessRole
{
    /// <summary>The API, and so an operator's key is asked for where others can reach it.</summary>
    Api,

    /// <summary>Probes and metrics alone. It starts before there is anybody who knows a key, and lets in who has one later.</summary>
    Operations,
}
