using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Turns;
using LlavaCluster.Storage.Training;

namespace LlavaCluster.Gateway.Training;

/// <summary>A tenant's fine-tuning jobs across the loss of the nodes that hold them. Every call may be repeated, so every one is.</summary>
internal sealed class TrainingJobs(TrainingJobValidator validator, TenantGrains grains, GrainCalls calls, ITrainingStore store, GatewayOptions options, TimeProvider time)
{
    public static ChatFailure Unknown { get; } = new(ChatFailureKind.NotFound, "There is no such job.", "id");

    /// <summary>The job that a client's own name for a request makes, the same however often it is sent; without one, a new job.</summary>
    public static TrainingJobKey KeyOf(TenantId tenant, string? idempotencyKey) => idempotencyKey is null or ""
        ? TrainingJobKey.New(tenant)
        : TrainingJobKey.Parse($"{tenant}/ftjob-{TurnIds.FromClient(idempotencyKey):n}");

    /// <summary>Creates a job once. Sent again it is there already, also where its files are gone by now; sent again with something else to do it is a conflict.</summary>
    public async Task<Outcome<TrainingJobInfo>> CreateAsync(TrainingJobKey key, RawTrainingJob raw, FieldChecks checks, CancellationToken cancellationToken)
    {
        var spec = validator.Read(key, raw, checks);
        if (checks.Failure is { } broken)
        {
            return broken;
        }

        var found = await GetAsync(key, cancellationToken);
        if (!found.IsFailure(out var failure, out var known))
        {
            return IsSame(known.Spec, spec) ? known : new ChatFailure(ChatFailureKind.Conflict, "The Idempotency-Key was used for another job.");
        }

        if (failure != Unknown)
        {
            return failure;
        }

        if (await validator.RefusalAsync(key.Tenant, spec, raw.Tuning.Path, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        var unfinished = await store.CountUnfinishedAsync(key.Tenant, cancellationToken);
        return unfinished >= options.Training.MaxUnfinishedJobs
            ? new ChatFailure(ChatFailureKind.QuotaExceeded, $"A tenant may have at most {options.Training.MaxUnfinishedJobs} jobs that have not ended; has {unfinished}.")
            : await AskAsync(key, job => job.CreateAsync(spec, cancellationToken), cancellationToken);
    }

    public async Task<Outcome<TrainingJobInfo>> GetAsync(TrainingJobKey key, CancellationToken cancellationToken)
    {
        var asked = await calls.RepeatAsync(() => grains.Job(key).GetAsync(cancellationToken), cancellationToken);
        return asked.IsFailure(out var lost, out var info) ? lost : info is null ? Unknown : info;
    }

    /// <summary>The latest first, as they were last written.</summary>
    /// <param name="before">A job's id; null: from the latest on.</param>
    public Task<ImmutableArray<TrainingJobInfo>> ListAsync(TenantId tenant, string? before, int limit, CancellationToken cancellationToken) => store.ListAsync(tenant, before, limit, cancellationToken);

    public Task<Outcome<TrainingJobInfo>> CancelAsync(TrainingJobKey key, CancellationToken cancellationToken) => AskAsync(key, job => job.CancelAsync(cancellationToken), cancellationToken);

    public Task<Outcome<TrainingJobInfo>> PauseAsync(TrainingJobKey key, CancellationToken cancellationToken) => AskAsync(key, job => job.PauseAsync(cancellationToken), cancellationToken);

    public Task<Outcome<TrainingJobInfo>> ResumeAsync(TrainingJobKey key, CancellationToken cancellationToken) => AskAsync(key, job => job.ResumeAsync(cancellationToken), cancellationToken);

    /// <summary>Of a job that is there: events after a sequence number, the oldest first.</summary>
    public Task<Outcome<ImmutableArray<TrainingEvent>>> EventsAsync(TrainingJobKey key, long after, int limit, CancellationToken cancellationToken) =>
        calls.RepeatAsync(() => grains.Job(key).EventsAsync(after, limit, cancellationToken), cancellationToken);

    /// <summary>Likewise the latest first.</summary>
    /// <param name="before">A sequence number; null: from the latest on.</param>
    public async Task<Outcome<ImmutableArray<TrainingEvent>>> LatestEventsAsync(TrainingJobKey key, long? before, int limit, CancellationToken cancellationToken)
    {
        // Numbers have no gaps, so those before one are those after another.
        var last = Math.Min((await store.ReadAsync(key, cancellationToken))?.Events ?? 0, (before ?? long.MaxValue) - 1);
        if (last < 1)
        {
            return ImmutableArray<TrainingEvent>.Empty;
        }

        var after = Math.Max(0, last - limit);
        var asked = await EventsAsync(key, after, (int)(last - after), cancellationToken);
        return asked.IsFailure(out var failure, out var events) ? failure : events.Reverse().ToImmutableArray();
    }

    public Task<Outcome<ImmutableArray<TrainingCheckpoint>>> CheckpointsAsync(TrainingJobKey key, CancellationToken cancellationToken) =>
        calls.RepeatAsync(() => grains.Job(key).CheckpointsAsync(cancellationToken), cancellationToken);

    /// <summary>
    /// Of a job that is there: events after a sequence number as they happen, without gaps or repeats, to the last one of the job.
    /// </summary>
    /// <exception cref="TimeoutException">The job was lost and could not be found again in time.</exception>
    public async IAsyncEnumerable<TrainingEvent> WatchAsync(TrainingJobKey key, long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var pause = GrainCalls.FirstPause;
        long? lostAt = null;
        while (true)
        {
            grains.Stamp(key.Tenant);
            var events = grains.Job(key).WatchAsync(after, cancellationToken).GetAsyncEnumerator(cancellationToken);
            var isLost = false;
            try
            {
                while (true)
                {
                    (var step, isLost) = await NextAsync(key, events);
                    if (step is null)
                    {
                        break;
                    }

                    if (step.Sequence > after)
                    {
                        (after, pause, lostAt) = (step.Sequence, GrainCalls.FirstPause, null);
                        yield return step;
                    }
                }
            }
            finally
            {
                await LeaveAsync(key, events);
            }

            cancellationToken.ThrowIfCancellationRequested();
            // A stream that ends by itself has told all, unless its node was told to stop.
            if (!isLost && await GetAsync(key, cancellationToken) is { Value.FinishedAt: not null } or { Failure.Kind: ChatFailureKind.NotFound })
            {
                yield break;
            }

            lostAt ??= time.GetTimestamp();
            if (time.GetElapsedTime(lostAt.Value) > options.RecoveryPatience)
            {
                throw new TimeoutException($"Job {key} was lost and is not found again.");
            }

            await Task.Delay(pause, time, cancellationToken);
            pause = GrainCalls.Longer(pause);
        }
    }

    // Arrays are equal to themselves alone.
    private static bool IsSame(TrainingJobSpec one, TrainingJobSpec other)
    {
        var (had, given) = (one.Options, other.Options);
        return had.TargetModules.SequenceEqual(given.TargetModules) && had.RankPattern.SequenceEqual(given.RankPattern) && had.AlphaPattern.SequenceEqual(given.AlphaPattern)
            && one == other with { Options = given with { TargetModules = had.TargetModules, RankPattern = had.RankPattern, AlphaPattern = had.AlphaPattern } };
    }

    private async Task<Outcome<TrainingJobInfo>> AskAsync(TrainingJobKey key, Func<ITrainingJobGrain, Task<TrainingJobAnswer>> call, CancellationToken cancellationToken)
    {
        var asked = await calls.RepeatAsync(() => call(grains.Job(key)), cancellationToken);
        if (asked.IsFailure(out var lost, out var answer))
        {
            return lost;
        }

        return answer.Job is { } job ? job : answer.Failure is { Kind: not ChatFailureKind.NotFound } failure ? failure : Unknown;
    }

    private async Task<(TrainingEvent? Step, bool IsLost)> NextAsync(TrainingJobKey key, IAsyncEnumerator<TrainingEvent> events)
    {
        try
        {
            grains.Stamp(key.Tenant);
            return (await events.MoveNextAsync() ? events.Current : null, false);
        }
        catch (Exception exception) when (GrainCalls.IsLoss(exception))
        {
            return (null, true);
        }
    }

    private async Task LeaveAsync(TrainingJobKey key, IAsyncEnumerator<TrainingEvent> events)
    {
        try
        {
            grains.Stamp(key.Tenant);
            await events.DisposeAsync();
        }
        catch (Exception exception) when (GrainCalls.IsLoss(exception))
        {
            // Its node is gone; there is nobody to tell.
        }
    }
}
