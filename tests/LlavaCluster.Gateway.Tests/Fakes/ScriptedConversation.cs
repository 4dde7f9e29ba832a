using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A conversation whose answers come from a script: one event a piece of text, released at once or when the test says so.</summary>
internal sealed class ScriptedConversation(string key, Script script) : IConversationGrain
{
    private readonly Lock _lock = new();
    private readonly List<Turn> _turns = [];
    private bool _created;

    public IReadOnlyList<TurnRequest> Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _turns.Select(turn => turn.Request)];
            }
        }
    }

    public Task<ChatFailure?> CreateAsync(CancellationToken cancellationToken)
    {
        script.BeforeCall(key);
        lock (_lock)
        {
            _created = script.Refusal is null;
            return Task.FromResult(script.Refusal);
        }
    }

    public async Task<BeginTurnResult> BeginTurnAsync(TurnRequest request, CancellationToken cancellationToken)
    {
        script.BeforeCall(key);
        if (script.Refusal is { } refusal)
        {
            return BeginTurnResult.Refused(refusal);
        }

        await script.BeforeBegin(cancellationToken);
        lock (_lock)
        {
            if (_turns.Find(turn => turn.Request.TurnId == request.TurnId) is { } known)
            {
                return Same(known.Request, request with { Adapter = script.Adapter }) ? BeginTurnResult.Accepted(script.Adapter) : BeginTurnResult.Refused(new ChatFailure(ChatFailureKind.Conflict, "The turn id was used for another request."));
            }

            if (request.Parent is { } parent && _turns.TrueForAll(turn => turn.Request.TurnId != parent))
            {
                return BeginTurnResult.Refused(new ChatFailure(ChatFailureKind.NotFound, "There is no such parent turn.", "parent"));
            }

            _created = true;
            _turns.Add(new Turn(request with { Adapter = script.Adapter }, script.EventsFor(request), script.StartedAt));
        }

        script.OnBegun(request);
        return BeginTurnResult.Accepted(script.Adapter);
    }

    public async IAsyncEnumerable<TurnEvent> FollowAsync(Guid turnId, long afterSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Turn? turn;
        lock (_lock)
        {
            turn = _turns.Find(known => known.Request.TurnId == turnId);
        }

        if (turn is null)
        {
            yield return new TurnEvent { Sequence = afterSequence + 1, Completed = true, Failure = new ChatFailure(ChatFailureKind.NotFound, "There is no such turn.") };
            yield break;
        }

        lock (_lock)
        {
            turn.Followers++;
        }

        try
        {
            for (var at = (int)afterSequence; at < turn.Events.Length; at++)
            {
                if (!turn.Cancelled.Task.IsCompleted)
                {
                    await Task.WhenAny(script.ReleaseAsync(at, cancellationToken), turn.Cancelled.Task).Unwrap();
                }

                if (turn.Cancelled.Task.IsCompleted)
                {
                    yield return turn.CancelledEvent(at + 1);
                    yield break;
                }

                if (script.Interrupt(at + 1) is { } interruption)
                {
                    yield return new TurnEvent { Sequence = at, Completed = true, Failure = interruption };
                    yield break;
                }

                script.BeforeEvent(at + 1);
                turn.Said = Math.Max(turn.Said, at + 1);
                yield return turn.Events[at];
            }
        }
        finally
        {
            lock (_lock)
            {
                turn.Followers--;
            }
        }
    }

    public Task<bool> CancelAsync(Guid turnId, CancellationToken cancellationToken) => CancelAsync(turnId, unlessFollowed: false);

    public Task<bool> CancelUnreadAsync(Guid turnId, CancellationToken cancellationToken) => CancelAsync(turnId, unlessFollowed: true);

    public Task<ConversationHistory?> HistoryAsync(CancellationToken cancellationToken)
    {
        script.BeforeCall(key);
        lock (_lock)
        {
            return Task.FromResult(!_created ? null : new ConversationHistory(script.StartedAt, [.. _turns.Select(turn => turn.View())]));
        }
    }

    public Task ResumeAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<bool> DeleteAsync(CancellationToken cancellationToken)
    {
        script.BeforeCall(key);
        lock (_lock)
        {
            var existed = _created;
            _created = false;
            _turns.Clear();
            return Task.FromResult(existed);
        }
    }

    private Task<bool> CancelAsync(Guid turnId, bool unlessFollowed)
    {
        script.BeforeCall(key);
        lock (_lock)
        {
            var turn = _turns.Find(known => known.Request.TurnId == turnId);
            var cancelled = turn is { Completed: false } && !(unlessFollowed && turn.Followers > 0) && turn.Cancelled.TrySetResult();
            script.OnCancelled(turnId, cancelled);
            return Task.FromResult(cancelled);
        }
    }

    private static bool Same(TurnRequest a, TurnRequest b) =>
        a.Model == b.Model && a.Parent == b.Parent && Text(a).SequenceEqual(Text(b)) && a.Options.MaxTokens == b.Options.MaxTokens;

    private static IEnumerable<string?> Text(TurnRequest request) => request.Messages.SelectMany(message => message.Parts).Select(part => part.Text ?? part.Image?.Value);

    private sealed class Turn(TurnRequest request, ImmutableArray<TurnEvent> events, DateTimeOffset begunAt)
    {
        public TurnRequest Request => request;

        public ImmutableArray<TurnEvent> Events => events;

        public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Said { get; set; }

        public int Followers { get; set; }

        public bool Completed => Cancelled.Task.IsCompleted || Said == events.Length;

        public TurnEvent CancelledEvent(long sequence) => new() { Sequence = sequence, Finish = FinishReason.Cancelled, Completed = true, Usage = new TokenUsage(3, 0, 0, Said) };

        public TurnView View()
        {
            var answers = Enumerable.Range(0, request.Options.Choices)
                .Select(choice => new AnswerView(string.Concat(events.Take(Said).Where(step => step.Choice == choice).Select(step => step.Text)), Completed ? FinishReason.Stop : null));
            return new TurnView(request, begunAt, Completed, [.. answers], Completed ? events[^1].Usage : null, Completed ? events[^1].Failure : null);
        }
    }
}
