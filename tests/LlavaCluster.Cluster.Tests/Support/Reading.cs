namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>What a client has read of a turn; it goes on after the last number it has seen, at whatever node it is given.</summary>
internal sealed class Reading(string conversation, Guid turn)
{
    private readonly List<Step> _steps = [];

    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the first event read.</summary>
    public Task Begun => _begun.Task;

    public string Text => string.Concat(_steps.Select(step => step.Text));

    public IEnumerable<long> Sequences => _steps.Select(step => step.Sequence);

    public Step Last => _steps[^1];

    /// <summary>Reads over one connection until the turn completes or <paramref name="until"/> events are read; fails if it breaks before.</summary>
    public async Task ReadAsync(Node node, int until, CancellationToken cancellationToken)
    {
        await foreach (var step in node.FollowAsync(conversation, turn, _steps.Count, cancellationToken))
        {
            _steps.Add(step);
            _begun.TrySetResult();
            if (step.Completed || _steps.Count == until)
            {
                return;
            }
        }

        throw new InvalidOperationException($"The stream of turn {turn} ended after event {_steps.Count} of at most {until}.");
    }
}
