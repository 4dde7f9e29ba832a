using LlavaCluster.Hosting.Operations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Worker.Training;

/// <summary>Asks jobs what is to become of objects that they were not told of, as those of a trainer that was killed between store and report: when the silo starts, and every minute.</summary>
internal sealed partial class UnreportedSweeper(TrainerSurroundings surroundings, ClusterSilos silos, ILogger<UnreportedSweeper> logger) : ISiloLoop
{
    private static readonly TimeSpan Round = TimeSpan.FromMinutes(1);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Round, surroundings.Clock);
        do
        {
            foreach (var left in surroundings.Unreported.Left(silos.Lives))
            {
                await TryDisownAsync(left, cancellationToken);
            }
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    private async Task TryDisownAsync(Unreported left, CancellationToken cancellationToken)
    {
        try
        {
            if (await surroundings.Job(left.Job).DisownAsync(left.Object, cancellationToken))
            {
                left.Mark.Delete();
            }
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
        {
            // The next round asks again.
            LogNotAsked(left.Job, fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Job {Job} was not asked about an object that it had not heard of: {Reason}")]
    private partial void LogNotAsked(Abstractions.Identity.TrainingJobKey job, string reason);
}
