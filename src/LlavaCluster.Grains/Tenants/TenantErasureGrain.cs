using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Erasures;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Grains.Tenants;

/// <summary>An erasure: its identity and its state; what is due it does in <see cref="TenantEraser"/>, beside its calls, which tell how far it is.</summary>
[CollectionAgeLimit(Minutes = 10)]
internal sealed partial class TenantErasureGrain(IErasureStore store, ErasureStores stores, ErasureSurroundings surroundings, TimeProvider clock, ILogger<TenantErasureGrain> logger) : Grain, ITenantErasureGrain
{
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(200);

    private TenantId _tenant;
    private ErasureRecord? _record;
    private TenantEraser _eraser = null!;
    private IGrainTimer? _timer;
    private bool _isTending;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _tenant = TenantId.Parse(this.GetPrimaryKeyString());
        _record = await store.ReadAsync(_tenant, cancellationToken);
        Wind();
    }

    public async Task<TenantErasure> BeginAsync(Guid id, CancellationToken cancellationToken)
    {
        if (_record?.Erasure is { } known && (known.FinishedAt is null || known.Id == id))
        {
            return known;
        }

        await WriteAsync(new TenantErasure { Id = id, BegunAt = clock.GetUtcNow() });
        LogBegun(_tenant);
        Wind();
        return _record!.Erasure;
    }

    public Task WakeAsync(CancellationToken cancellationToken) => Task.CompletedTask; // an activation goes on by itself

    private async Task TendAsync(CancellationToken cancellationToken)
    {
        if (_record?.Erasure is not { FinishedAt: null } erasure)
        {
            _timer?.Dispose();
            _timer = null;
            return;
        }

        if (_isTending)
        {
            return;
        }

        _isTending = true;
        DelayDeactivation(TimeSpan.FromMinutes(1));
        try
        {
            await TendAsync(erasure);
        }
        catch (Exception fault) when (fault is OrleansException or IOException or TimeoutException)
        {
            LogHeldUp(_tenant, fault.Message); // the next round tries again
        }
        finally
        {
            _isTending = false;
        }
    }

    private async Task TendAsync(TenantErasure erasure)
    {
        // An activation that was thought dead must not remove what came after the erasure's end.
        if ((await store.ReadAsync(_tenant, CancellationToken.None))?.Version != _record!.Version)
        {
            DeactivateOnIdle();
            return;
        }

        var next = await _eraser.TendAsync(erasure);
        if (next != erasure)
        {
            await WriteAsync(next);
        }

        if (next.FinishedAt is not null)
        {
            LogFinished(_tenant);
        }
    }

    private async Task WriteAsync(TenantErasure next)
    {
        var record = new ErasureRecord(_record?.Version ?? 0, next);
        if (await store.WriteAsync(_tenant, record, CancellationToken.None) is { } fault)
        {
            if (fault == StorageFault.Conflict)
            {
                DeactivateOnIdle();
            }

            throw new OrleansException($"The erasure of tenant {_tenant} was not written: {fault}.");
        }

        _record = record with { Version = record.Version + 1 };
    }

    private void Wind()
    {
        if (_record?.Erasure is { FinishedAt: null } && _timer is null)
        {
            _eraser = new TenantEraser(_tenant, stores, surroundings, clock, logger);
            _timer = this.RegisterGrainTimer(TendAsync, new GrainTimerCreationOptions(TimeSpan.Zero, Round) { Interleave = true });
        }
    }

    [LoggerMessage(LogLevel.Information, "The erasure of {Tenant} begins")]
    private partial void LogBegun(TenantId tenant);

    [LoggerMessage(LogLevel.Information, "The erasure of {Tenant} is over")]
    private partial void LogFinished(TenantId tenant);

    [LoggerMessage(LogLevel.Warning, "The erasure of {Tenant} is held up: {Reason}")]
    private partial void LogHeldUp(TenantId tenant, string reason);
}
