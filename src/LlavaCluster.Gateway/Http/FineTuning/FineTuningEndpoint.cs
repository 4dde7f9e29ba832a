using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Training;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.FineTuning;

/// <summary>/v1/fine_tuning/jobs.</summary>
internal sealed class FineTuningEndpoint(BodyReader bodies, TrainingJobs jobs, GatewayOptions options, TimeProvider time)
{
    private const string IdempotencyKey = "Idempotency-Key";
    private const int UsualPage = 20, MostOfAPage = 1000;

    public async Task CreateAsync(HttpContext context)
    {
        using var body = await bodies.ReadAsync(context);
        if (body is null)
        {
            return;
        }

        var checks = new FieldChecks();
        var raw = JobRequest.Read(new JsonField(body.RootElement, "", checks));
        var name = context.Request.Headers[IdempotencyKey] is [{ Length: > 0 } given] ? given : null;
        await WriteAsync(context, await jobs.CreateAsync(TrainingJobs.KeyOf(context.Caller().Tenant, name), raw, checks, context.RequestAborted));
    }

    public async Task ListAsync(HttpContext context)
    {
        var checks = new FieldChecks();
        var paging = Paging.Read(context.Request, UsualPage, MostOfAPage, checks);
        if (paging.After is { } after && !TrainingJobKey.TryCreate(context.Caller().Tenant, after, out _))
        {
            checks.Fail("after", "must be a job's id.");
        }

        if (checks.Failure is { } failure)
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        var listed = await jobs.ListAsync(context.Caller().Tenant, paging.After, paging.Limit + 1, context.RequestAborted);
        await WriteAsync(context, paging.Page([.. listed.Select(JobJson.Of)]));
    }

    public Task GetAsync(HttpContext context, string id) => ChangeAsync(context, id, jobs.GetAsync);

    public Task CancelAsync(HttpContext context, string id) => ChangeAsync(context, id, jobs.CancelAsync);

    public Task PauseAsync(HttpContext context, string id) => ChangeAsync(context, id, jobs.PauseAsync);

    public Task ResumeAsync(HttpContext context, string id) => ChangeAsync(context, id, jobs.ResumeAsync);

    /// <summary>The job's events, the latest first as OpenAI has them; with <c>stream=true</c> as they happen, to the job's end, and again after Last-Event-ID.</summary>
    public async Task EventsAsync(HttpContext context, string id)
    {
        var checks = new FieldChecks();
        var paging = Paging.Read(context.Request, UsualPage, MostOfAPage, checks);
        var oldestFirst = Paging.OldestFirst(context.Request, checks);
        var after = paging.After is { } cursor ? JobJson.Sequence(cursor) : null;
        if (after is null && paging.After is not null)
        {
            checks.Fail("after", "must be an event's id, or its number.");
        }

        var stream = context.Request.Query["stream"] is ["true"];
        if (stream && context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 }])
        {
            after = ResumePoint.Read(context.Request, "after", checks);
        }

        if (await FindAsync(context, id, checks) is not { } key)
        {
            return;
        }

        if (stream)
        {
            var writer = new SseWriter(context, options, time);
            await writer.PumpAsync(jobs.WatchAsync(key, after ?? 0, context.RequestAborted), line => writer.Write(JobJson.Event(line), line.Sequence, null), context.RequestAborted);
            return;
        }

        var asked = await (oldestFirst ? jobs.EventsAsync(key, after ?? 0, paging.Limit + 1, context.RequestAborted) : jobs.LatestEventsAsync(key, after, paging.Limit + 1, context.RequestAborted));
        await (asked.IsFailure(out var failure, out var events) ? ErrorWriter.WriteAsync(context, failure) : WriteAsync(context, paging.Page([.. events.Select(JobJson.Event)])));
    }

    /// <summary>The checkpoints that are kept, the latest first.</summary>
    public async Task CheckpointsAsync(HttpContext context, string id)
    {
        var checks = new FieldChecks();
        var paging = Paging.Read(context.Request, UsualPage, MostOfAPage, checks);
        if (await FindAsync(context, id, checks) is not { } key)
        {
            return;
        }

        var asked = await jobs.CheckpointsAsync(key, context.RequestAborted);
        if (asked.IsFailure(out var failure, out var kept))
        {
            await ErrorWriter.WriteAsync(context, failure);
            return;
        }

        var rest = paging.After is { } after ? kept.SkipWhile(checkpoint => JobJson.CheckpointId(checkpoint) != after).Skip(1) : kept;
        await WriteAsync(context, paging.Page([.. rest.Select(checkpoint => JobJson.Checkpoint(key, checkpoint))]));
    }

    private static Task WriteAsync(HttpContext context, JsonObject body) => context.Response.WriteAsJsonAsync(body, Json.Options, context.RequestAborted);

    private static Task WriteAsync(HttpContext context, Outcome<TrainingJobInfo> outcome) =>
        outcome.IsFailure(out var failure, out var job) ? ErrorWriter.WriteAsync(context, failure) : WriteAsync(context, JobJson.Of(job));

    private static async Task ChangeAsync(HttpContext context, string id, Func<TrainingJobKey, CancellationToken, Task<Outcome<TrainingJobInfo>>> call) => await WriteAsync(
        context,
        TrainingJobKey.TryCreate(context.Caller().Tenant, id, out var key) ? await call(key.Value, context.RequestAborted) : TrainingJobs.Unknown);

    /// <summary>A job that is there; null where an error was written.</summary>
    private async Task<TrainingJobKey?> FindAsync(HttpContext context, string id, FieldChecks checks)
    {
        var failure = checks.Failure;
        TrainingJobKey? key = null;
        if (failure is null)
        {
            failure = TrainingJobKey.TryCreate(context.Caller().Tenant, id, out key) ? (await jobs.GetAsync(key.Value, context.RequestAborted)).Failure : TrainingJobs.Unknown;
        }

        if (failure is null)
        {
            return key;
        }

        await ErrorWriter.WriteAsync(context, failure);
        return null;
    }
}
