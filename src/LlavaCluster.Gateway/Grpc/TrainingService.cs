using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Training;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>Fine-tuning jobs over gRPC, one call of the grain's each.</summary>
internal sealed class TrainingService(TrainingJobs jobs) : Llava.V1.Training.TrainingBase
{
    private const int UsualPage = 20, MostOfAPage = 1000;

    public override async Task<TrainingJob> CreateJob(CreateJobRequest request, ServerCallContext context) =>
        Answer(await jobs.CreateAsync(TrainingJobs.KeyOf(Tenant(context), request.IdempotencyKey), ProtoTraining.Read(request), new FieldChecks(), context.CancellationToken));

    public override Task<TrainingJob> GetJob(GetJobRequest request, ServerCallContext context) => AskAsync(request.Id, jobs.GetAsync, context);

    public override async Task<ListJobsResponse> ListJobs(ListJobsRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var limit = request.Limit == 0 ? UsualPage : checks.Range("limit", request.Limit, 1, MostOfAPage);
        if (request.After.Length > 0 && !TrainingJobKey.TryCreate(Tenant(context), request.After, out _))
        {
            checks.Fail("after", "must be a job's id.");
        }

        ChatService.Throw(checks);
        var listed = await jobs.ListAsync(Tenant(context), request.After.Length > 0 ? request.After : null, limit + 1, context.CancellationToken);
        var response = new ListJobsResponse { HasMore = listed.Length > limit };
        response.Jobs.AddRange(listed.Take(limit).Select(ProtoTraining.Job));
        return response;
    }

    public override Task<TrainingJob> CancelJob(CancelJobRequest request, ServerCallContext context) => AskAsync(request.Id, jobs.CancelAsync, context);

    public override Task<TrainingJob> PauseJob(PauseJobRequest request, ServerCallContext context) => AskAsync(request.Id, jobs.PauseAsync, context);

    public override Task<TrainingJob> ResumeJob(ResumeJobRequest request, ServerCallContext context) => AskAsync(request.Id, jobs.ResumeAsync, context);

    public override async Task WatchJob(WatchJobRequest request, IServerStreamWriter<Llava.V1.TrainingEvent> responseStream, ServerCallContext context)
    {
        if (request.ResumeFrom < 0)
        {
            var checks = new FieldChecks();
            checks.Fail("resume_from", $"must be at least 0; was {request.ResumeFrom}.");
            ChatService.Throw(checks);
        }

        var key = await FindAsync(request.Id, context);
        try
        {
            await foreach (var line in jobs.WatchAsync(key, request.ResumeFrom, context.CancellationToken))
            {
                await responseStream.WriteAsync(ProtoTraining.Event(line), context.CancellationToken);
            }
        }
        catch (TimeoutException)
        {
            throw ErrorWriter.Rpc(GrainCalls.Lost);
        }
    }

    public override async Task<ListCheckpointsResponse> ListCheckpoints(ListCheckpointsRequest request, ServerCallContext context)
    {
        var asked = await jobs.CheckpointsAsync(await FindAsync(request.Id, context), context.CancellationToken);
        if (asked.IsFailure(out var failure, out var kept))
        {
            throw ErrorWriter.Rpc(failure);
        }

        var response = new ListCheckpointsResponse();
        response.Checkpoints.AddRange(kept.Select(ProtoTraining.Checkpoint));
        return response;
    }

    private static TenantId Tenant(ServerCallContext context) => context.GetHttpContext().Caller().Tenant;

    private static TrainingJob Answer(Outcome<TrainingJobInfo> asked) => asked.IsFailure(out var failure, out var job) ? throw ErrorWriter.Rpc(failure) : ProtoTraining.Job(job);

    private static async Task<TrainingJob> AskAsync(string id, Func<TrainingJobKey, CancellationToken, Task<Outcome<TrainingJobInfo>>> call, ServerCallContext context) =>
        Answer(TrainingJobKey.TryCreate(Tenant(context), id, out var key) ? await call(key.Value, context.CancellationToken) : TrainingJobs.Unknown);

    /// <summary>A job that is there.</summary>
    private async Task<TrainingJobKey> FindAsync(string id, ServerCallContext context)
    {
        await AskAsync(id, jobs.GetAsync, context);
        return TrainingJobKey.Parse($"{Tenant(context)}/{id}");
    }
}
