using System.Globalization;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Storage.Tenants;

namespace LlavaCluster.Grains.Tenants;

/// <summary>The arithmetic of a tenant's fine-tuning: which jobs run, and the device time they use. Plain values; no clock, no store.</summary>
internal sealed class TrainingLedger
{
    private readonly Dictionary<string, StoredJob> _jobs;

    public TrainingLedger(TrainingTotals totals, IEnumerable<StoredJob> jobs)
    {
        Totals = totals;
        _jobs = jobs.ToDictionary(job => job.Job, StringComparer.Ordinal);
    }

    public TrainingTotals Totals { get; private set; }

    public int Running(DateTimeOffset now) => _jobs.Values.Count(job => job.ExpiresAt > now);

    /// <summary>Seconds since midnight.</summary>
    public double Today(DateTimeOffset now) => Totals.Day == DayOf(now) ? Totals.DaySeconds : 0;

    public bool Has(string job) => _jobs.ContainsKey(job);

    /// <summary>What to store when a job asks to go on: its line, null where it must wait, and the totals. Nothing changes until <see cref="Put"/>.</summary>
    public (StoredJob Job, TrainingTotals Totals, ChatFailure? Refused) Train(string job, long report, double deviceSeconds, TenantQuota quota, DateTimeOffset now)
    {
        var known = _jobs.GetValueOrDefault(job);
        var totals = report <= known?.Report ? Totals : Totals.Add(DayOf(now), deviceSeconds);
        var refused = Refusal(job, totals, quota, now);
        // A report of no time takes no number: the job gives it to the next one.
        var counted = deviceSeconds > 0 ? Math.Max(report, known?.Report ?? 0) : known?.Report ?? 0;
        var next = new StoredJob(job, counted, refused is null ? now + TenantQuota.LeaseLife : now);
        return (next, totals, refused);
    }

    public void Put(StoredJob job, TrainingTotals totals)
    {
        _jobs[job.Job] = job;
        Totals = totals;
    }

    public void Drop(string job) => _jobs.Remove(job);

    private static int DayOf(DateTimeOffset now) => (int)(now.UtcDateTime.Ticks / TimeSpan.TicksPerDay);

    private ChatFailure? Refusal(string job, TrainingTotals totals, TenantQuota quota, DateTimeOffset now)
    {
        var others = _jobs.Values.Count(other => other.Job != job && other.ExpiresAt > now);
        if (others >= quota.TrainingJobs)
        {
            return new ChatFailure(ChatFailureKind.QuotaExceeded, $"training jobs at a time must be <= {quota.TrainingJobs}; {others} are running.");
        }

        var today = totals.Day == DayOf(now) ? totals.DaySeconds : 0;
        return today >= quota.TrainingSecondsPerDay
            ? new ChatFailure(ChatFailureKind.QuotaExceeded, string.Create(CultureInfo.InvariantCulture, $"training must take <= {quota.TrainingSecondsPerDay} s of devices a day; {today:0} were used since midnight (UTC)."), null, now.UtcDateTime.Date.AddDays(1) - now.UtcDateTime)
            : null;
    }
}
