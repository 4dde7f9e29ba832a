using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.Hosting;
using LlavaCluster.Hosting.Operations;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;

namespace LlavaCluster.Grains.Tests;

public sealed class SiloLoopTests
{
    private readonly CancellationToken _deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Fact]
    public async Task Loop_ThatThrows_IsRunAnewUntilItsSiloStops()
    {
        var services = new ServiceCollection();
        services.AddLogging().AddSingleton(TimeProvider.System).AddSiloLoop<StumblingLoop>();
        await using var provider = services.BuildServiceProvider();
        var lifecycle = new OneStageLifecycle();
        provider.GetRequiredService<ILifecycleParticipant<ISiloLifecycle>>().Participate(lifecycle);
        var loop = provider.GetRequiredService<StumblingLoop>();

        await lifecycle.Observer.OnStart(_deadline);
        await loop.SecondRun.WaitAsync(_deadline);
        await lifecycle.Observer.OnStop(_deadline);

        Assert.Equal((2, true), (loop.Runs, loop.Ended));
    }

    private sealed class StumblingLoop : ISiloLoop
    {
        private readonly TaskCompletionSource _secondRun = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Runs { get; private set; }

        public bool Ended { get; private set; }

        public Task SecondRun => _secondRun.Task;

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            if (++Runs == 1)
            {
                throw new InvalidOperationException("a fault of the loop's own");
            }

            _secondRun.SetResult();
            try
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
            }
            finally
            {
                Ended = true;
            }
        }
    }
}
