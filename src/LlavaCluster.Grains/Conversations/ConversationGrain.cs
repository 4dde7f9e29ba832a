using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Grains.Workers;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Conversations;
using Microsoft.Extensions.Logging;
using Orleans.Placement;

namespace LlavaCluster.Grains.Conversations;

/// <summary>A conversation: its identity, the order of its calls and the pumps of its running turns. It sits on the front its client came to.</summary>
[PreferLocalPlacement, CollectionAgeLimit(Minutes = 10)]
internal sealed partial class ConversationGrain(IConversationLog log, TurnSurroundings surroundings, ILogger<ConversationGrain> logger) : Grain, IConversationGrain
{
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(30);

    private readonly Dictionary<Guid, TurnPump> _pumps = [];
    private readonly OpenReservations _reservations = new(surroundings.Clock);
    private readonly CancellationTokenSource _stop = new();
    private ConversationKey _key;
    private TurnJournal _journal = null!;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _key = ConversationKey.Parse(this.GetPrimaryKeyString());
        _journal = new TurnJournal(_key, log, surroundings.Clock);
        await _journal.LoadAsync(cancellationToken);
        await ResumeAsync(cancellationToken);
        this.RegisterGrainTimer(RenewLeasesAsync, new GrainTimerCreationOptions(RenewEvery, RenewEvery));
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        CloseFeeds();
        await Task.WhenAll(_pumps.Values.Select(pump => pump.Done)).WaitAsync(cancellationToken);
        _journal.Dispose();
        _stop.Dispose();
    }

    public async Task<ChatFailure?> CreateAsync(CancellationToken cancellationToken)
    {
        if (_journal.Tree.History() is not null)
        {
            return null;
        }

        var fault = await _journal.AppendAsync(new ConversationCreated(surroundings.Clock.GetUtcNow()));
        return fault is { } refused ? NotTaken(refused, "The store did not take the conversation; it was not created.") : null;
    }

    public async Task<BeginTurnResult> BeginTurnAsync(TurnRequest request, CancellationToken cancellationToken)
    {
        if (_journal.Tree.Find(request.TurnId) is { } known)
        {
            if (!RequestIdentity.Same(known.Request, request))
            {
                return Refuse(ChatFailureKind.Conflict, $"Turn {request.TurnId} was begun before with another request.");
            }

            await GoOnAsync(known, cancellationToken);
            return BeginTurnResult.Accepted(known.Request.Adapter);
        }

        if (CheckParent(request) is { } wrongParent)
        {
            return BeginTurnResult.Refused(wrongParent);
        }

        if (CheckModel(request.Model) is { } noModel)
        {
            return BeginTurnResult.Refused(noModel);
        }

        var (adapter, noAdapter) = await ChooseAdapterAsync(request, cancellationToken);
        if (noAdapter is not null)
        {
            return BeginTurnResult.Refused(noAdapter);
        }

        request = request with { Adapter = adapter };

        var at = _reservations.Open(request.TurnId);
        var leaseId = LeaseIds.Of(_key, request.TurnId, at);
        var lease = await surroundings.Tenant(_key.Tenant).ReserveAsync(leaseId, request.WorstCaseTokens, cancellationToken);
        _reservations.Close(request.TurnId);
        if (lease.Refused is { } refused)
        {
            return BeginTurnResult.Refused(refused);
        }

        if (await _journal.AppendAsync(new TurnBegun(request, at, lease.Weight)) is { } fault)
        {
            await RefundAsync(leaseId);
            return BeginTurnResult.Refused(NotTaken(fault, "The store did not take the question; nothing was begun."));
        }

        StartPump(_journal.Tree.Find(request.TurnId)!);
        return BeginTurnResult.Accepted(request.Adapter);
    }

    public async IAsyncEnumerable<TurnEvent> FollowAsync(Guid turnId, long afterSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (_journal.Tree.Find(turnId) is not { } turn)
        {
            var failure = new ChatFailure(ChatFailureKind.NotFound, $"There is no turn {turnId} in conversation {_key.Id}.");
            yield return new TurnEvent { Sequence = afterSequence + 1, Completed = true, Failure = failure };
            yield break;
        }

        await foreach (var step in turn.Feed.FollowAsync(afterSequence, cancellationToken))
        {
            yield return step;
        }
    }

    public Task<bool> CancelAsync(Guid turnId, CancellationToken cancellationToken)
    {
        if (!_pumps.TryGetValue(turnId, out var pump) || pump.Turn.End is not null)
        {
            return Task.FromResult(false);
        }

        pump.Cancel();
        return Task.FromResult(true);
    }

    public Task<bool> CancelUnreadAsync(Guid turnId, CancellationToken cancellationToken) =>
        _journal.Tree.Find(turnId) is { Feed.Followers: 0 } ? CancelAsync(turnId, cancellationToken) : Task.FromResult(false);

    public Task<ConversationHistory?> HistoryAsync(CancellationToken cancellationToken) => Task.FromResult(_journal.Tree.History());

    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        foreach (var turn in _journal.Tree.Turns)
        {
            await GoOnAsync(turn, cancellationToken);
        }
    }

    public async Task<bool> DeleteAsync(CancellationToken cancellationToken)
    {
        foreach (var pump in _pumps.Values)
        {
            pump.Cancel();
        }

        await Task.WhenAll(_pumps.Values.Select(pump => pump.Done)).WaitAsync(cancellationToken);
        CloseFeeds();
        return await _journal.DeleteAsync(cancellationToken);
    }

    /// <summary>Nobody in this process reads the turns from here any more; who follows them asks the grain.</summary>
    private void CloseFeeds()
    {
        foreach (var turn in _journal.Tree.Turns)
        {
            surroundings.Local.Remove(_key, turn.Request.TurnId, turn.Feed);
            turn.Feed.Close();
        }
    }

    /// <exception cref="OrleansException">Another activation is ahead; the caller's retry finds it.</exception>
    private ChatFailure NotTaken(StorageFault fault, string message)
    {
        if (fault == StorageFault.Conflict)
        {
            DeactivateOnIdle();
            throw new OrleansException($"Conversation {_key} went on elsewhere.");
        }

        return fault == StorageFault.Full
            ? new ChatFailure(ChatFailureKind.StorageFull, "The store is full; nothing was begun.")
            : new ChatFailure(ChatFailureKind.Internal, message);
    }

    private static BeginTurnResult Refuse(ChatFailureKind kind, string message) => BeginTurnResult.Refused(new ChatFailure(kind, message));

    private ChatFailure? CheckParent(TurnRequest request)
    {
        if (request.Parent is not { } parent)
        {
            return null;
        }

        return _journal.Tree.Find(parent) switch
        {
            null => new ChatFailure(ChatFailureKind.NotFound, $"The parent turn {parent} is not in conversation {_key.Id}.", "parent"),
            { End: null } => new ChatFailure(ChatFailureKind.Conflict, $"The parent turn {parent} is still being answered.", "parent", TimeSpan.FromSeconds(1)),
            _ => null,
        };
    }

    private ChatFailure? CheckModel(string model)
    {
        var workers = surroundings.Workers;
        if (workers.Live.Any(load => load.Ready) && !workers.Knows(model))
        {
            var names = string.Join(", ", workers.Models.Select(card => card.Name));
            return new ChatFailure(ChatFailureKind.ModelNotFound, $"The model must be one of {names}; was \"{model}\".", "model");
        }

        return workers.Live.Any(load => load.Ready)
            ? null
            : new ChatFailure(ChatFailureKind.ModelUnavailable, "No worker is ready.", null, TimeSpan.FromSeconds(2));
    }

    /// <summary>The version that the turn keeps whatever happens to its name meanwhile; null for the base model.</summary>
    private async Task<(ObjectId? Adapter, ChatFailure? Failure)> ChooseAdapterAsync(TurnRequest request, CancellationToken cancellationToken)
    {
        var model = ModelName.Parse(request.Model, surroundings.Workers.Serves);
        if (model.Adapter is not { } name)
        {
            return (null, null);
        }

        return await surroundings.Adapters(_key.Tenant).ResolveAsync(model.Base, name, request.AffinityKey, cancellationToken) is { } version
            ? (version, null)
            : (null, new ChatFailure(ChatFailureKind.ModelNotFound, $"There is no model \"{request.Model}\": {model.Base} has no adapter \"{name}\".", "model"));
    }

    /// <summary>Drives a turn that a lost activation or a refusing store left in the middle; nothing happens if it is driven or settled.</summary>
    private async Task GoOnAsync(Turn turn, CancellationToken cancellationToken)
    {
        var pump = _pumps.GetValueOrDefault(turn.Request.TurnId);
        if (turn.Settled || (pump is { Done.IsCompleted: false } && !turn.IsInterrupted))
        {
            return;
        }

        if (pump is not null)
        {
            await pump.Done.WaitAsync(cancellationToken);
        }

        LogResumed(turn.Request.TurnId, turn.Choices.Sum(choice => choice.Tokens.Count));
        turn.Resume();
        StartPump(turn);
    }

    private void StartPump(Turn turn)
    {
        var pump = new TurnPump(_journal, turn, _key, surroundings, logger);
        _pumps[turn.Request.TurnId] = pump;
        surroundings.Local.Add(_key, turn.Request.TurnId, turn.Feed);
        pump.Start(DeactivateOnIdle, _stop.Token);
    }

    /// <summary>Keeps the leases and the activation of running turns, and forgets the pumps of ended ones.</summary>
    private async Task RenewLeasesAsync(CancellationToken cancellationToken)
    {
        foreach (var (id, pump) in _pumps.ToArray())
        {
            if (pump.Done.IsCompleted)
            {
                surroundings.Local.Remove(_key, id, pump.Turn.Feed);
                _pumps.Remove(id);
                continue;
            }

            DelayDeactivation(RenewEvery * 4);
            if (pump.Turn.End is null)
            {
                var leaseId = LeaseIds.Of(_key, id, pump.Turn.BegunAt);
                await surroundings.Tenant(_key.Tenant).ReserveAsync(leaseId, pump.Turn.Request.WorstCaseTokens, cancellationToken);
            }
        }
    }

    /// <summary>Gives back the lease of a turn that was not begun. One that cannot be given back, as on a full disk, expires; the caller is told why the turn was not begun.</summary>
    private async Task RefundAsync(Guid leaseId)
    {
        try
        {
            await surroundings.Tenant(_key.Tenant).SettleAsync(leaseId, null, CancellationToken.None);
        }
        catch (Exception fault) when (fault is OrleansException or TimeoutException)
        {
            LogNotRefunded(leaseId, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Information, "Resumes turn {TurnId} after {Tokens} durable tokens")]
    private partial void LogResumed(Guid turnId, int tokens);

    [LoggerMessage(LogLevel.Warning, "Lease {LeaseId} was not given back and will expire: {Reason}")]
    private partial void LogNotRefunded(Guid leaseId, string reason);
}
