using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Threading.Channels;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>What every scripted conversation of a test server does.</summary>
internal sealed class Script
{
    private readonly SemaphoreSlim _released = new(0);
    private int _releasedEvents;

    /// <summary>The pieces of the answer, one event each.</summary>
    public ImmutableArray<string> Pieces { get; set; } = ["A ", "red ", "apple."];

    public FinishReason Finish { get; set; } = FinishReason.Stop;

    /// <summary>What the last event brings instead of usage.</summary>
    public ChatFailure? Failure { get; set; }

    /// <summary>What BeginTurn answers instead of beginning.</summary>
    public ChatFailure? Refusal { get; set; }

    /// <summary>The version that every turn is said to be answered by; null: the base model.</summary>
    public ObjectId? Adapter { get; set; }

    public TokenUsage Usage { get; set; } = new(20, 9, 4, 3);

    /// <summary>Whether events wait for <see cref="Release"/>.</summary>
    public bool Gated { get; set; }

    public DateTimeOffset StartedAt { get; } = DateTimeOffset.FromUnixTimeSeconds(1_760_000_000);

    public Func<CancellationToken, Task> BeforeBegin { get; set; } = _ => Task.CompletedTask;

    /// <summary>Called with the key of a conversation before each of its calls but follow; may throw as a lost silo does.</summary>
    public Action<string> BeforeCall { get; set; } = _ => { };

    /// <summary>Asked before the event of a sequence number; a failure interrupts the turn there until it is followed again.</summary>
    public Func<long, ChatFailure?> Interrupt { get; set; } = _ => null;

    /// <summary>Called before the event of a sequence number leaves; may throw as a lost silo does.</summary>
    public Action<long> BeforeEvent { get; set; } = _ => { };

    public ConcurrentQueue<TurnRequest> Begun { get; } = new();

    /// <summary>Turns that CancelAsync was called for, and whether they were running.</summary>
    public Channel<(Guid Turn, bool Running)> Cancellations { get; } = Channel.CreateUnbounded<(Guid, bool)>();

    public TurnRequest Last => Begun.Last();

    public void Release(int events)
    {
        Interlocked.Add(ref _releasedEvents, events);
        _released.Release(events);
    }

    public async Task ReleaseAsync(int index, CancellationToken cancellationToken)
    {
        while (Gated && Volatile.Read(ref _releasedEvents) <= index)
        {
            await _released.WaitAsync(cancellationToken);
        }
    }

    public void OnBegun(TurnRequest request) => Begun.Enqueue(request);

    public void OnCancelled(Guid turn, bool running) => Cancellations.Writer.TryWrite((turn, running));

    public ImmutableArray<TurnEvent> EventsFor(TurnRequest request)
    {
        var events = ImmutableArray.CreateBuilder<TurnEvent>();
        foreach (var piece in Pieces)
        {
            for (var choice = 0; choice < request.Options.Choices; choice++)
            {
                events.Add(new TurnEvent { Sequence = events.Count + 1, Choice = choice, Text = piece, Logprobs = Logprobs(request, piece) });
            }
        }

        for (var choice = 0; choice < request.Options.Choices; choice++)
        {
            events.Add(new TurnEvent { Sequence = events.Count + 1, Choice = choice, Finish = Failure is null ? Finish : FinishReason.Failed });
        }

        events.Add(new TurnEvent { Sequence = events.Count + 1, Completed = true, Usage = Failure is null ? Usage : null, Failure = Failure });
        return events.ToImmutable();
    }

    private static ImmutableArray<TokenLogprob> Logprobs(TurnRequest request, string piece) => request.Options.TopLogprobs is { } top
        ? [new TokenLogprob(7, piece, -0.25f, [.. Enumerable.Range(0, top).Select(rank => new TokenLogprob(rank, $"t{rank}", -1f - rank, []))])]
        : [];
}
