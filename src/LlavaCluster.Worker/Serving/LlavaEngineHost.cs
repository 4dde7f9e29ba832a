using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Operations;
using LlavaCluster.Hosting.Tenancy;
using LlavaCluster.Model;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Storage.Objects;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using EngineStatus = LlavaCluster.Abstractions.Workers.EngineStatus;
using FinishReason = LlavaCluster.Abstractions.Chat.FinishReason;

namespace LlavaCluster.Worker.Serving;

/// <summary>The real engine of this process: starts with the host when its model is loaded, answers for the worker's grain, drains when the host stops. Owns the model.</summary>
internal sealed partial class LlavaEngineHost(
    ModelLoading loading, IObjectStore objects, DataDirectory data, TimeProvider time, EngineInstruments instruments, ILoggerFactory loggers)
    : IEngineHost, IHostedLifecycleService, IDrain, IAsyncDisposable
{
    private const int SubmissionAttempts = 3;

    private readonly ILogger _logger = loggers.CreateLogger<LlavaEngineHost>();
    private readonly TenantWork _work = new();
    private Task? _starting;
    private ServedModel? _model;
    private LlmEngine? _engine;
    private int _disposed;
    private PromptBuilder? _prompts;
    private AdapterLoader? _adapters;

    public ImmutableArray<ModelCard> Models => _model is { } model && _engine is not null ? [model.Card] : [];

    public EngineStatus Status
    {
        get
        {
            if (_engine is not { } engine)
            {
                return new EngineStatus(Ready: false, Waiting: 0);
            }

            var status = engine.GetStatus();
            return new EngineStatus(status.Health == EngineHealth.Ready, status.Waiting);
        }
    }

    /// <summary>What a trainer of adapters must know of the model; null while it loads, and for one that cannot be trained: packed, with a tower elsewhere, or of another family than LLaVA-1.5.</summary>
    public TrainableModel? Trainable => _engine is not null && loading.Options.VisionTower is null && _model is { Network: { Packed: null, Config.Family: ModelFamily.Llava15 } } model
        ? new TrainableModel(model.Card, model.Renderer.Template.Name)
        : null;

    /// <summary>Whether requests run or wait.</summary>
    public bool IsBusy => _engine?.GetStatus() is { Running: > 0 } or { Waiting: > 0 };

    /// <summary>Begins before the other services of the host start: the silo takes as long, and neither needs the other.</summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _starting = StartEngineAsync(cancellationToken);
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => _starting ??= StartEngineAsync(cancellationToken);

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DrainAsync(CancellationToken cancellationToken) => _engine?.DrainAsync(cancellationToken) ?? Task.CompletedTask;

    public async IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var entered = _work.Enter(request.Tenant, end.Cancel);
        if (_engine is not { } engine || _model is not { } model || _prompts is not { } prompts || _adapters is not { } adapters)
        {
            yield return Failed(new ChatFailure(ChatFailureKind.ModelUnavailable, "The model is loading."));
            yield break;
        }

        if (request.Model != model.Card.Name)
        {
            yield return Failed(new ChatFailure(ChatFailureKind.ModelNotFound, $"The model \"{request.Model}\" is not served here.", "model"));
            yield break;
        }

        if (engine.Refusal() is { } refusal)
        {
            yield return Failed(Failures.Of(refusal));
            yield break;
        }

        var (prompt, failure) = await prompts.BuildAsync(request, end.Token);
        var counted = failure is null ? PromptSize.Of(prompt) : default;
        failure ??= CheckContext(model.Card, counted);
        if (failure is not null)
        {
            yield return Failed(failure);
            yield break;
        }

        yield return new GenerateUpdate { Usage = new TokenUsage(counted.Tokens, counted.ImageTokens, 0, 0) };
        var run = EngineRequests.Make(request, prompt, Salt(request), model.Card.ContextLength - counted.Tokens);
        await foreach (var update in RunAsync(engine, adapters, model, request, run, end.Token))
        {
            yield return update;
        }
    }

    public Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken) =>
        _adapters?.CheckAsync(tenant, adapter, cancellationToken) ?? Task.FromResult<ChatFailure?>(new ChatFailure(ChatFailureKind.ModelUnavailable, "The model is loading."));

    public async Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        if (!_work.End(tenant))
        {
            return null;
        }

        if (_engine is not { } engine || _adapters is not { } adapters)
        {
            return default(ErasedCaches);
        }

        var erased = await engine.EraseTenantAsync(tenant.Value, await adapters.ForgetAsync(tenant), cancellationToken);
        return new ErasedCaches(erased.Blocks, erased.Images, erased.Adapters);
    }

    /// <summary>The host knows this object as several services and disposes each of them; the first time counts.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        // Where something else failed to start, nobody has waited for it yet.
        await Task.WhenAny(_starting ?? Task.CompletedTask);
        if (_adapters is not null)
        {
            await _adapters.DisposeAsync();
        }

        if (_engine is not null)
        {
            await _engine.DisposeAsync();
            if (!_engine.HasEnded)
            {
                return;
            }
        }

        await loading.DisposeAsync();
    }

    private async Task StartEngineAsync(CancellationToken cancellationToken)
    {
        _model = await loading.Model.WaitAsync(cancellationToken);
        _prompts = new PromptBuilder(_model, objects);
        var engine = await LlmEngine.StartAsync(_model.Network, _model.ForEngine(), Sized(_model), loading.Device, time, instruments, loggers.CreateLogger<LlmEngine>(), cancellationToken);
        _adapters = new AdapterLoader(engine, _model.Network.Config, objects, loading.Options, time, _logger);
        _engine = engine;
        LogLoaded(_model.Card.Name, _model.Card.Parameters, _model.Card.Precision, loading.Options.Device, loading.Elapsed);
    }

    private static async IAsyncEnumerable<GenerateUpdate> RunAsync(
        LlmEngine engine, AdapterLoader adapters, ServedModel model, GenerateRequest asked, EngineRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Leaving this enumeration, whatever the reason, ends the request in the engine.
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            var (accepted, failure) = await SubmitAsync(engine, adapters, asked, request, abort.Token);
            if (accepted is null)
            {
                yield return Failed(failure!);
                yield break;
            }

            await foreach (var update in accepted.Updates.ReadAllAsync(cancellationToken))
            {
                // The engine says once more how a replayed choice ended; its readers know.
                if (update.Choice >= asked.Finished.Length || asked.Finished[update.Choice] is null)
                {
                    yield return EngineUpdates.Map(update, model.Codec);
                }

                if (update.Usage is not null)
                {
                    yield return EngineUpdates.End(update);
                }
            }
        }
        finally
        {
            await abort.CancelAsync();
        }
    }

    /// <summary>Between its loading and the request an adapter may have made room for others: then it is loaded again.</summary>
    private static async Task<(Submission.Accepted? Accepted, ChatFailure? Failure)> SubmitAsync(LlmEngine engine, AdapterLoader adapters, GenerateRequest asked, EngineRequest request, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (asked.Adapter is { } adapter && await adapters.EnsureAsync(asked.Tenant, adapter, cancellationToken) is { } failure)
            {
                return (null, failure);
            }

            switch (engine.Submit(request, cancellationToken))
            {
                case Submission.Accepted accepted:
                    return (accepted, null);
                case Submission.Rejected { Reason: RejectionReason.AdapterMissing } when attempt < SubmissionAttempts:
                    break;
                case Submission.Rejected { Reason: RejectionReason.AdapterMissing }:
                    return (null, new ChatFailure(ChatFailureKind.Overloaded, $"The adapter made room for others {SubmissionAttempts} times before the request could begin.", "adapter", TimeSpan.FromSeconds(1)));
                case Submission.Rejected rejected:
                    return (null, Failures.Of(rejected));
            }
        }
    }

    private static ChatFailure? CheckContext(ModelCard card, PromptSize prompt) =>
        prompt.Tokens < card.ContextLength
            ? null
            : new ChatFailure(ChatFailureKind.ContextExceeded, $"The prompt must be < {card.ContextLength} tokens; was {prompt.Tokens} ({prompt.ImageTokens} of them pictures).", "messages");

    private static GenerateUpdate Failed(ChatFailure failure) => new() { Completed = true, Failure = failure };

    private ReadOnlyMemory<byte> Salt(GenerateRequest request) => HMACSHA256.HashData(data.ClusterKey, Encoding.UTF8.GetBytes($"cache:{request.Tenant.Value}"));

    /// <summary>As many KV blocks as the memory holds, and at least one full context.</summary>
    private EngineOptions Sized(ServedModel model)
    {
        var flops = loading.Options.Device.Gpu is null ? EngineSizing.OfCpu(loading.Options.Threads, PagedDecoder.HasMachineCode(model.Network, loading.Options.Weights)) : EngineSizing.OfGpu;
        var sized = EngineSizing.For(model.Network.Config, model.Network.Dtype, model.Card.Parameters, loading.Options.KvBytes, model.Card.MaxImageTokens, flops);
        sized.Weights = loading.Options.Weights;
        sized.AdapterBytes = loading.Options.AdapterBytes;
        sized.MaxGuessedTokens = loading.Options.Guesses;
        return sized;
    }

    [LoggerMessage(LogLevel.Information, "Serving {Model}: {Parameters} parameters in {Precision} on {Device}, loaded in {Elapsed}")]
    private partial void LogLoaded(string model, long parameters, string precision, ComputeDevice device, TimeSpan elapsed);
}
