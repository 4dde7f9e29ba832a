using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Tenants;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A tenant's keys and quota in memory.</summary>
internal sealed class FakeTenant(string name) : ITenantGrain
{
    public Task<ChatFailure?> TrainAsync(string job, long report, double deviceSeconds, CancellationToken cancellationToken) => Task.FromResult<ChatFailure?>(null);

    public Task EndTrainingAsync(string job, CancellationToken cancellationToken) => Task.CompletedTask;

    private readonly ConcurrentDictionary<string, (KeyInfo Info, byte[] Hash)> _keys = new();
    private int _made;
    private int _verifications;

    public int Verifications => _verifications;

    /// <summary>Called before each call; may throw as a lost silo does.</summary>
    public Action BeforeCall { get; set; } = () => { };

    public TenantQuota Quota { get; private set; } = new();

    public Task<ImmutableArray<string>?> VerifyKeyAsync(string keyId, ImmutableArray<byte> secretHash, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _verifications);
        BeforeCall();
        return Task.FromResult<ImmutableArray<string>?>(_keys.TryGetValue(keyId, out var key) && secretHash.AsSpan().SequenceEqual(key.Hash) ? key.Info.Scopes : null);
    }

    public Task<CreatedKey> CreateKeyAsync(string label, ImmutableArray<string> scopes, CancellationToken cancellationToken)
    {
        BeforeCall();
        var id = $"key{Interlocked.Increment(ref _made)}";
        var secret = $"secret-of-{name}-{id}";
        var info = new KeyInfo(id, label, scopes, DateTimeOffset.UnixEpoch);
        _keys[id] = (info, SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
        return Task.FromResult(new CreatedKey(info, $"llava-{name}.{id}.{secret}"));
    }

    public Task<bool> RevokeKeyAsync(string keyId, CancellationToken cancellationToken) => Task.FromResult(_keys.TryRemove(keyId, out _));

    public Task<ImmutableArray<KeyInfo>> KeysAsync(CancellationToken cancellationToken)
    {
        BeforeCall();
        return Task.FromResult<ImmutableArray<KeyInfo>>([.. _keys.Values.Select(key => key.Info).OrderBy(info => info.KeyId, StringComparer.Ordinal)]);
    }

    public Task<ReserveResult> ReserveAsync(Guid leaseId, int worstCaseTokens, CancellationToken cancellationToken) => Task.FromResult(new ReserveResult(null));

    public Task SettleAsync(Guid leaseId, TokenUsage? usage, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task SetQuotaAsync(TenantQuota quota, CancellationToken cancellationToken)
    {
        Quota = quota;
        return Task.CompletedTask;
    }

    public Task EraseAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<TenantUsage> UsageAsync(CancellationToken cancellationToken) => Task.FromResult(new TenantUsage(Quota, 1, 2, 30, 18, 12));
}
