namespace LlavaCluster.Grains.Tests.Support;

/// <summary>A silo's lifecycle with one participant, moved by its test.</summary>
internal sealed class OneStageLifecycle : ISiloLifecycle, IDisposable
{
    public ILifecycleObserver Observer { get; private set; } = null!;

    public int HighestCompletedStage => 0;

    public int LowestStoppedStage => 0;

    public IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer)
    {
        Observer = observer;
        return this;
    }

    public void Dispose()
    {
        // A subscription is left with its test.
    }
}
