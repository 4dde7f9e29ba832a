using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Operations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Worker.Training;

/// <summary>The trainer of a worker's device: has one seat, which the first job that asks for it gets. Members may be called from any thread.</summary>
internal sealed class Trainer(TrainerSurroundings surroundings, ILoggerFactory loggers) : IDrain, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private TrainerSession? _session;
    private bool _closed;

    /// <summary>What fronts are told; null while it cannot train.</summary>
    public TrainerCard? Card
    {
        get
        {
            lock (_gate)
            {
                return _closed || surroundings.Engine.Trainable is not { } model ? null : new TrainerCard([model.Card.Name], _session?.Job.ToString());
            }
        }
    }

    /// <returns>Where the other trainers reach it; null where it works on another job or is about to stop.</returns>
    public string? Join(TrainerAssignment assignment)
    {
        lock (_gate)
        {
            if (_closed || surroundings.Engine.Trainable is not { } model || (_session is { } other && other.Job != assignment.Job))
            {
                return null;
            }

            _session ??= new TrainerSession(assignment, model, surroundings, Free, loggers.CreateLogger<TrainerSession>());
            return _session.Endpoint;
        }
    }

    public bool Train(TrainingJobKey job, TrainerGroup group)
    {
        lock (_gate)
        {
            return _session is { } session && session.Job == job && session.Train(group);
        }
    }

    public void Leave(TrainingJobKey job)
    {
        lock (_gate)
        {
            if (_session?.Job == job)
            {
                _session.Leave();
            }
        }
    }

    /// <summary>Leaves a tenant's job and deletes what is copied of its data, also what trainers left that were killed.</summary>
    /// <returns>False while it still leaves.</returns>
    public bool Erase(TenantId tenant)
    {
        lock (_gate)
        {
            if (_session?.Job.Tenant == tenant)
            {
                _session.Leave();
                return false;
            }

            foreach (var left in surroundings.LeftFolders(isIdle: _session is null))
            {
                left.Delete(recursive: true);
            }

            return true;
        }
    }

    /// <summary>A trainer does not hold a stopping process up: its job goes on from its group's state, or a checkpoint.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        TrainerSession? session;
        lock (_gate)
        {
            (_closed, session) = (true, _session);
            session?.Leave(); // while it is still known, and so not over
        }

        if (session is not null)
        {
            await session.Ended.WaitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await DrainAsync(CancellationToken.None);
    }

    private void Free(TrainerSession session)
    {
        lock (_gate)
        {
            _session = _session == session ? null : _session;
        }
    }
}
