using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Generation;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlavaCluster.Engine.Tests.Support;

/// <summary>An engine core on the test's own thread, step by step, over a <see cref="HashRunner"/>.</summary>
internal sealed class EngineBench : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly RequestFactory _factory;
    private readonly EngineInstruments _instruments = new();
    private readonly SemaphoreSlim _loaded = new(0);

    public EngineBench(EngineOptions? options = null, EngineModel? model = null)
    {
        Options = options ?? new EngineOptions { BlockSize = 4, KvBlocks = 64, MaxTokensPerStep = 24, MaxRunningSequences = 8, MaxImageTokensPerStep = 8, ImageCacheTokens = 32, MaxGuessedTokens = 0 };
        Assert.Null(Options.Validate());
        Runner = new HashRunner(Options, Requests.Vocabulary);
        Core = new EngineCore(model ?? Requests.Model, Options, Runner, Time, _instruments, NullLogger.Instance, () => _loaded.Release());
        _factory = new RequestFactory(model ?? Requests.Model, Options, Core.Adapters, Time);
    }

    public EngineOptions Options { get; }

    public FakeTimeProvider Time { get; } = new();

    public HashRunner Runner { get; }

    public EngineCore Core { get; }

    public LiveRequest Submit(EngineRequest request)
    {
        var live = _factory.TryCreate(request, out var rejection);
        Assert.True(live is not null, rejection?.Message);
        Core.Accept(live);
        return live;
    }

    public Submission.Rejected? Refuse(EngineRequest request)
    {
        _factory.TryCreate(request, out var rejection);
        return rejection;
    }

    /// <summary>Loads an adapter whose digest is that of its number.</summary>
    public Submission.Rejected? Load(HashAdapter adapter) => Core.AddAdapter(DigestOf(adapter.Number), adapter);

    /// <summary>Loads adapters 1 and 2, of which the second changes features.</summary>
    public void LoadTwo()
    {
        Assert.Null(Load(new HashAdapter(1, 1)));
        Assert.Null(Load(new HashAdapter(2, 1, changesFeatures: true)));
    }

    public static ContentDigest DigestOf(ulong adapter) => ContentDigest.Of(BitConverter.GetBytes(adapter));

    /// <summary>One step; where the engine only waits for pixels, waits for them first.</summary>
    public StepOutcome Step()
    {
        var outcome = Core.Step();
        if (outcome == StepOutcome.Stalled && Core.Live.Any(r => r.FullSince is null))
        {
            AwaitLoad();
        }

        return outcome;
    }

    /// <summary>Waits until one more load of pixels has ended.</summary>
    public void AwaitLoad() => Assert.True(_loaded.Wait(Patience, TestContext.Current.CancellationToken), "The engine waits for nothing.");

    public void RunToEnd(int mostSteps = 5000)
    {
        for (var i = 0; Core.Live.Count > 0; i++)
        {
            Assert.True(i < mostSteps, $"{Core.Live.Count} requests did not end in {mostSteps} steps.");
            Step();
        }
    }

    public void AssertNothingIsHeld()
    {
        Assert.Empty(Core.Live);
        Assert.Empty(Core.Scheduler.Running);
        Assert.Equal(0, Core.Scheduler.Waiting.Count);
        Assert.Equal(0, Core.Scheduler.Waiting.Tokens);
        Assert.Equal(0, Core.Blocks.Held);
        Assert.Equal(0, Core.Features.References);
        Assert.Equal(0, Core.Pixels.Count);
        Assert.InRange(Core.Features.UsedTokens, 0, Core.Features.BudgetTokens);
        Assert.Equal(0, Runner.PartsOutOfOrder);
        Assert.Equal(Core.Adapters.Count, Runner.Adapters);
    }

    public static List<TokenUpdate> Read(LiveRequest request)
    {
        var updates = new List<TokenUpdate>();
        while (request.Updates.TryRead(out var update))
        {
            updates.Add(update);
        }

        return updates;
    }

    public static int[] Tokens(IEnumerable<TokenUpdate> updates, int choice = 0) =>
        [.. updates.Where(u => u.Choice == choice && u.Token != TokenUpdate.NoToken).Select(u => u.Token)];

    public static string Text(IEnumerable<TokenUpdate> updates, int choice = 0) => string.Concat(updates.Where(u => u.Choice == choice).Select(u => u.Text));

    /// <summary>Tokens and text of a request on an engine of its own.</summary>
    public static List<TokenUpdate> Alone(EngineRequest request, EngineOptions? options = null, bool repeats = false)
    {
        using var bench = new EngineBench(options);
        bench.Runner.Repeats = repeats;
        bench.LoadTwo();
        var live = bench.Submit(request);
        bench.RunToEnd();
        return Read(live);
    }

    public void Dispose()
    {
        _instruments.Dispose();
        _loaded.Dispose();
    }
}
