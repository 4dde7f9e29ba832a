namespace LlavaCluster.Cluster.Tests.Support;

/// <summary>The lines a process has written, and those who wait for one. Members may be called from any thread.</summary>
internal sealed class ProcessOutput(string process)
{
    private const int LastWords = 12;

    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private readonly List<(string Part, TaskCompletionSource<string> Said)> _waits = [];
    private bool _ended;

    /// <summary>How many lines there are so far.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _lines.Count;
            }
        }
    }

    public bool Has(string part, int after)
    {
        lock (_gate)
        {
            return _lines.Skip(after).Any(line => line.Contains(part, StringComparison.Ordinal));
        }
    }

    /// <summary>The lines so far with a text in them.</summary>
    public string[] Having(string part)
    {
        lock (_gate)
        {
            return [.. _lines.Where(line => line.Contains(part, StringComparison.Ordinal))];
        }
    }

    /// <summary>The first line with a text in it, of those after the first <paramref name="after"/>; fails if the process ends without it.</summary>
    public Task<string> SaysAsync(string part, int after, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_lines.Skip(after).FirstOrDefault(line => line.Contains(part, StringComparison.Ordinal)) is { } line)
            {
                return Task.FromResult(line);
            }

            var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waits.Add((part, said));
            if (_ended)
            {
                End();
            }

            return said.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Takes a line; null is the end of one of the process' streams.</summary>
    public void Take(string? line)
    {
        lock (_gate)
        {
            if (line is null)
            {
                return;
            }

            _lines.Add(line);
            foreach (var wait in _waits.Where(wait => line.Contains(wait.Part, StringComparison.Ordinal)).ToArray())
            {
                _waits.Remove(wait);
                wait.Said.SetResult(line);
            }
        }
    }

    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            foreach (var (part, said) in _waits)
            {
                said.TrySetException(new InvalidOperationException($"{process} ended before it said \"{part}\". Its last words:\n{string.Join('\n', _lines.TakeLast(LastWords))}"));
            }

            _waits.Clear();
        }
    }
}
