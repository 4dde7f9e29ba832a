namespace LlavaCluster.Cli.Benchmarks.Burst;

/// <summary>That each of several answers has had so many pieces of text. Thread-safe.</summary>
internal sealed class Milestone(int answers, int pieces)
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _missing = answers;

    public Task Reached => _reached.Task;

    /// <summary>An answer has had another piece.</summary>
    /// <param name="had">How many it has had, this one included.</param>
    public void Note(int had)
    {
        if (had == pieces && Interlocked.Decrement(ref _missing) == 0)
        {
            _reached.SetResult();
        }
    }
}
