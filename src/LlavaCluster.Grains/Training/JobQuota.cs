using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Grains.Training;

/// <summary>What a job asks its tenant: whether it may train, by device time, jobs at a time and what is stored. Knows nothing of the job but its key.</summary>
internal sealed class JobQuota(TrainingJobKey job, IObjectStore objects, JobSurroundings surroundings)
{
    /// <summary>Charges device time.</summary>
    /// <param name="number">Of the charge; one that is repeated counts once.</param>
    /// <returns>Null, or why the job must wait. What it stores until then, and its result, may go beyond the quota of storage.</returns>
    public async Task<ChatFailure?> ChargeAsync(long number, double seconds)
    {
        if (await surroundings.Tenant(job.Tenant).TrainAsync(job.Id, number, seconds, CancellationToken.None) is { } refused)
        {
            return refused;
        }

        if ((await surroundings.Tenant(job.Tenant).UsageAsync(CancellationToken.None)).Quota.StorageBytes is not { } most)
        {
            return null;
        }

        var used = (await objects.TotalsAsync(job.Tenant, CancellationToken.None)).Bytes;
        if (used < most)
        {
            return null;
        }

        await EndAsync(); // it does not run, so another may
        return new ChatFailure(ChatFailureKind.QuotaExceeded, $"stored bytes must be < {most} for a job to train; {used} are used.");
    }

    /// <summary>The job runs no more.</summary>
    public Task EndAsync() => surroundings.Tenant(job.Tenant).EndTrainingAsync(job.Id, CancellationToken.None);
}
