using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Turns;
using LlavaCluster.Storage.Objects;
using KeyInfo = Llava.V1.KeyInfo;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>Keys, quotas and usage of tenants, for callers with the admin scope only (the route says so).</summary>
internal sealed class TenantsService(TenantGrains tenants, GrainCalls calls, IObjectStore objects, TenantDoor door, TimeProvider time) : Llava.V1.Tenants.TenantsBase
{
    private const int MostLabel = 100;
    private const double MostWeight = 1000;
    private const double MostSeconds = 1e9;

    private static readonly TimeSpan ErasurePatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ErasurePause = TimeSpan.FromMilliseconds(50);

    public override async Task<CreateKeyResponse> CreateKey(CreateKeyRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var tenant = Tenant(request.Tenant, checks);
        checks.Length("label", request.Label, MostLabel);
        checks.WellFormed("label", request.Label);
        foreach (var scope in request.Scopes.Where(scope => !Scopes.All.Contains(scope)))
        {
            checks.Fail("scopes", $"must hold only {string.Join(", ", Scopes.All)}; held \"{Excerpt.Of(scope, 20)}\".");
        }

        ChatService.Throw(checks);
        ImmutableArray<string> scopes = request.Scopes.Count == 0 ? [Scopes.Chat] : [.. request.Scopes.Distinct()];
        await RequireOpenAsync(tenant, context);
        // Not repeated: whether the first attempt made a key nobody knows, and the second would make another.
        var asked = await calls.RepeatAsync(() => tenants.Tenant(tenant).CreateKeyAsync(request.Label, scopes, context.CancellationToken), TimeSpan.Zero, context.CancellationToken);
        return asked.IsFailure(out var failure, out var created) ? throw ErrorWriter.Rpc(failure) : new CreateKeyResponse { Info = Info(created.Info), ApiKey = created.ApiKey };
    }

    public override async Task<ListKeysResponse> ListKeys(ListKeysRequest request, ServerCallContext context)
    {
        var response = new ListKeysResponse();
        response.Keys.AddRange((await AskAsync(request.Tenant, tenant => tenant.KeysAsync(context.CancellationToken), context)).Select(Info));
        return response;
    }

    public override async Task<RevokeKeyResponse> RevokeKey(RevokeKeyRequest request, ServerCallContext context) =>
        new() { Revoked = await AskAsync(request.Tenant, tenant => tenant.RevokeKeyAsync(request.KeyId, context.CancellationToken), context) };

    public override async Task<SetQuotaResponse> SetQuota(SetQuotaRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var quota = request.Quota ?? new Quota();
        var valid = new TenantQuota
        {
            RequestsPerMinute = quota.HasRequestsPerMinute ? checks.Range("quota.requests_per_minute", quota.RequestsPerMinute, 0, int.MaxValue) : null,
            TokensPerMinute = quota.HasTokensPerMinute ? checks.Range("quota.tokens_per_minute", quota.TokensPerMinute, 0, int.MaxValue) : null,
            ConcurrentTurns = quota.HasConcurrentTurns ? checks.Range("quota.concurrent_turns", quota.ConcurrentTurns, 0, int.MaxValue) : null,
            Weight = quota.HasWeight ? checks.Range("quota.weight", quota.Weight, 0, MostWeight, open: true) : 1,
            TrainingJobs = quota.HasTrainingJobs ? checks.Range("quota.training_jobs", quota.TrainingJobs, 0, int.MaxValue) : null,
            TrainingSecondsPerDay = quota.HasTrainingSecondsPerDay ? checks.Range("quota.training_seconds_per_day", quota.TrainingSecondsPerDay, 0, MostSeconds) : null,
            StorageBytes = quota.HasStorageBytes ? quota.StorageBytes : null,
        };
        if (valid.StorageBytes < 0)
        {
            checks.Fail("quota.storage_bytes", $"must be at least 0; was {valid.StorageBytes}.");
        }

        ChatService.Throw(checks);
        if (TenantId.TryParse(request.Tenant, out var named))
        {
            await RequireOpenAsync(named.Value, context);
        }

        return await AskAsync(request.Tenant, async tenant =>
        {
            await tenant.SetQuotaAsync(valid, context.CancellationToken);
            return new SetQuotaResponse();
        }, context);
    }

    public override async Task<GetUsageResponse> GetUsage(GetUsageRequest request, ServerCallContext context)
    {
        var usage = await AskAsync(request.Tenant, tenant => tenant.UsageAsync(context.CancellationToken), context);
        return new GetUsageResponse
        {
            Quota = Write(usage.Quota),
            RunningTurns = usage.RunningTurns,
            Turns = usage.Turns,
            PromptTokens = usage.PromptTokens,
            ImageTokens = usage.ImageTokens,
            CompletionTokens = usage.CompletionTokens,
            RunningJobs = usage.RunningJobs,
            TrainingSeconds = usage.TrainingSeconds,
            TrainingSecondsToday = usage.TrainingSecondsToday,
            StoredBytes = (await objects.TotalsAsync(TenantId.Parse(request.Tenant), context.CancellationToken)).Bytes,
        };
    }

    public override async Task<EraseTenantResponse> EraseTenant(EraseTenantRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var tenant = Tenant(request.Tenant, checks);
        var id = Guid.NewGuid();
        if (request.ErasureId.Length > 0 && !Guid.TryParse(request.ErasureId, out id))
        {
            checks.Fail("erasure_id", "must be a UUID, as an answer to this call has it.");
        }

        ChatService.Throw(checks);
        var began = time.GetTimestamp();
        while (true)
        {
            var asked = await calls.RepeatAsync(() => tenants.Erasure(tenant).BeginAsync(id, context.CancellationToken), context.CancellationToken);
            if (asked.IsFailure(out var failure, out var erasure))
            {
                throw ErrorWriter.Rpc(failure);
            }

            if (erasure.FinishedAt is not null || time.GetElapsedTime(began) >= ErasurePatience)
            {
                return ProtoErasure.Write(erasure);
            }

            id = erasure.Id; // one that was begun before goes on
            await Task.Delay(ErasurePause, time, context.CancellationToken);
        }
    }

    /// <summary>What is made for a tenant while it is erased would go with it.</summary>
    private async Task RequireOpenAsync(TenantId tenant, ServerCallContext context)
    {
        if (await door.IsClosedAsync(tenant, context.CancellationToken))
        {
            throw ErrorWriter.Rpc(new ChatFailure(ChatFailureKind.Conflict, $"tenant must not be one that is being erased; {tenant} is.", "tenant", TimeSpan.FromSeconds(1)));
        }
    }

    private static TenantId Tenant(string name, FieldChecks checks)
    {
        if (TenantId.TryParse(name, out var tenant))
        {
            return tenant.Value;
        }

        checks.Fail("tenant", "must be 1 to 64 of a-z, 0-9, '-', '_'.");
        return TenantId.Default;
    }

    /// <summary>Asks a tenant what may be asked again.</summary>
    private async Task<T> AskAsync<T>(string name, Func<ITenantGrain, Task<T>> call, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var tenant = Tenant(name, checks);
        ChatService.Throw(checks);
        var asked = await calls.RepeatAsync(() => call(tenants.Tenant(tenant)), context.CancellationToken);
        return asked.IsFailure(out var failure, out var answer) ? throw ErrorWriter.Rpc(failure) : answer;
    }

    private static KeyInfo Info(Abstractions.Tenants.KeyInfo info)
    {
        var written = new KeyInfo { KeyId = info.KeyId, Label = info.Label, CreatedAt = Timestamp.FromDateTimeOffset(info.CreatedAt) };
        written.Scopes.AddRange(info.Scopes);
        return written;
    }

    private static Quota Write(TenantQuota quota)
    {
        var written = new Quota { Weight = quota.Weight };
        if (quota.RequestsPerMinute is { } requests)
        {
            written.RequestsPerMinute = requests;
        }

        if (quota.TokensPerMinute is { } tokens)
        {
            written.TokensPerMinute = tokens;
        }

        if (quota.ConcurrentTurns is { } turns)
        {
            written.ConcurrentTurns = turns;
        }

        if (quota.TrainingJobs is { } jobs)
        {
            written.TrainingJobs = jobs;
        }

        if (quota.TrainingSecondsPerDay is { } seconds)
        {
            written.TrainingSecondsPerDay = seconds;
        }

        if (quota.StorageBytes is { } bytes)
        {
            written.StorageBytes = bytes;
        }

        return written;
    }
}
