using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Engine;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Worker.Serving;

/// <summary>
/// Brings the adapters that requests ask for from their tenants' stores to the engine: each once at a time however many ask, a few at once, off the threads that answer requests. A tenant finds an adapter only if
/// it has stored it, be it loaded for another already. Any thread. Ends its loads when it is disposed, which is to be before the engine is.
/// </summary>
internal sealed partial class AdapterLoader(LlmEngine engine, LlavaConfig config, IObjectStore objects, WorkerOptions options, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private const string Field = "adapter";
    private const int MostWaiting = 64;
    private const int MostKnown = 4096;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(TenantId Tenant, ObjectId Adapter), Task<ChatFailure?>> _loads = [];
    private readonly HashSet<(TenantId Tenant, ObjectId Adapter)> _known = []; // stored by the tenant when it was last looked for
    private readonly SemaphoreSlim _places = new(options.AdapterLoads);
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Null once the engine has the adapter, or why it has not. Cancelling ends the wait only.</summary>
    public ValueTask<ChatFailure?> EnsureAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var key = (tenant, adapter);
            if (_known.Contains(key) && engine.HasAdapter(ContentDigest.Parse(adapter.Value)))
            {
                return default;
            }

            if (!_loads.TryGetValue(key, out var load))
            {
                if (_loads.Count >= MostWaiting)
                {
                    return ValueTask.FromResult<ChatFailure?>(new ChatFailure(ChatFailureKind.Overloaded, $"At most {MostWaiting} adapters may be loading; {_loads.Count} are.", Field, Retry));
                }

                load = Task.Run(() => LoadAndForgetAsync(tenant, adapter));
                _loads.Add(key, load);
            }

            return new ValueTask<ChatFailure?>(load.WaitAsync(cancellationToken));
        }
    }

    /// <summary>Null where a request for the adapter could be answered with this model, or why not. The engine has it no more than before.</summary>
    public async Task<ChatFailure?> CheckAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        await _places.WaitAsync(end.Token);
        try
        {
            await using var stored = await objects.OpenAsync(tenant, adapter, end.Token);
            return stored is null ? NotStored(adapter) : await ReadAsync(stored, adapter, DropAsync, end.Token);
        }
        finally
        {
            _places.Release();
        }

        static Task<ChatFailure?> DropAsync(LoraWeights weights)
        {
            weights.Dispose();
            return Task.FromResult<ChatFailure?>(null);
        }
    }

    /// <summary>Forgets what a tenant has, once its loads have ended.</summary>
    /// <returns>What other tenants are known to have.</returns>
    public async Task<IReadOnlySet<ContentDigest>> ForgetAsync(TenantId tenant)
    {
        Task<ChatFailure?>[] loads;
        lock (_gate)
        {
            loads = [.. _loads.Where(load => load.Key.Tenant == tenant).Select(load => load.Value)];
        }

        await Task.WhenAll(loads);
        lock (_gate)
        {
            _known.RemoveWhere(known => known.Tenant == tenant);
            return _known.Concat(_loads.Keys).Select(known => ContentDigest.Parse(known.Adapter.Value)).ToHashSet();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task<ChatFailure?>[] loads;
        lock (_gate)
        {
            loads = [.. _loads.Values];
        }

        await Task.WhenAll(loads);
        _places.Dispose();
        _stop.Dispose();
    }

    private async Task<ChatFailure?> LoadAndForgetAsync(TenantId tenant, ObjectId adapter)
    {
        ChatFailure? failure = null;
        try
        {
            using var late = new CancellationTokenSource(Patience, time);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _stop.Token);
            await _places.WaitAsync(end.Token);
            try
            {
                failure = await LoadAsync(tenant, adapter, end.Token);
            }
            finally
            {
                _places.Release();
            }
        }
        catch (OperationCanceledException)
        {
            failure = new ChatFailure(ChatFailureKind.ModelUnavailable, _stop.IsCancellationRequested ? "The engine is stopping." : $"The adapter could not be loaded within {Patience.TotalSeconds} s.", Field);
        }
        catch (Exception exception)
        {
            // The edge of a load: whatever the store or the device throws fails the requests that wait for it, and another worker may have better luck.
            LogFailed(logger, exception, adapter);
            failure = new ChatFailure(ChatFailureKind.ModelUnavailable, $"The adapter could not be loaded ({exception.GetType().Name}).", Field);
        }

        lock (_gate)
        {
            _loads.Remove((tenant, adapter));
            if (failure is null)
            {
                if (_known.Count >= MostKnown)
                {
                    _known.Clear(); // those in use are looked for once more
                }

                _known.Add((tenant, adapter));
            }
        }

        return failure;
    }

    private async Task<ChatFailure?> LoadAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken)
    {
        await using var stored = await objects.OpenAsync(tenant, adapter, cancellationToken);
        if (stored is null)
        {
            return NotStored(adapter);
        }

        var digest = ContentDigest.Parse(adapter.Value);
        if (engine.HasAdapter(digest))
        {
            return null;
        }

        return await ReadAsync(stored, adapter, async weights => await engine.LoadAdapterAsync(digest, weights, cancellationToken) is { } refusal ? Of(refusal) : null, cancellationToken);
    }

    /// <param name="take">Gets the weights, its own from then on, and says what comes of it.</param>
    private async Task<ChatFailure?> ReadAsync(Stream stored, ObjectId adapter, Func<LoraWeights, Task<ChatFailure?>> take, CancellationToken cancellationToken)
    {
        var file = Path.Combine(Path.GetTempPath(), $"llava-adapter-{Guid.NewGuid():n}");
        try
        {
            switch (await ObjectCopy.WriteAsync(stored, adapter, file, options.AdapterObjectBytes, cancellationToken))
            {
                case ObjectCopyOutcome.TooLong:
                    return new ChatFailure(ChatFailureKind.InvalidRequest, $"An adapter must be stored in <= {options.AdapterObjectBytes} bytes; {adapter} is larger.", Field);
                case ObjectCopyOutcome.Damaged:
                    return new ChatFailure(ChatFailureKind.ModelUnavailable, $"The adapter {adapter} is damaged where it is stored.", Field);
            }

            // On a thread of its own: it reads and converts as many bytes as the adapter has.
            return await take(await Task.Factory.StartNew(() => LoraAdapterReader.Read(file, config), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        }
        catch (CheckpointException refusal)
        {
            return new ChatFailure(ChatFailureKind.InvalidRequest, $"The adapter {adapter} cannot be used with this model: {refusal.Message.Replace(refusal.File, "it", StringComparison.Ordinal)}", Field);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static ChatFailure NotStored(ObjectId adapter) => new(ChatFailureKind.ModelNotFound, $"The adapter {adapter} is not stored.", Field);

    private static ChatFailure Of(Submission.Rejected refusal) =>
        refusal.Reason == RejectionReason.TooLarge ? new ChatFailure(ChatFailureKind.InvalidRequest, refusal.Message, Field) : Failures.Of(refusal) with { Field = Field };

    [LoggerMessage(LogLevel.Error, "Adapter {Adapter} could not be loaded.")]
    private static partial void LogFailed(ILogger logger, Exception exception, ObjectId adapter);
}
