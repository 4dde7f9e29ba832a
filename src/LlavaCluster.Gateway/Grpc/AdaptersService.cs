using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>A tenant's adapters over gRPC.</summary>
internal sealed class AdaptersService(TenantAdapters adapters) : Llava.V1.Adapters.AdaptersBase
{
    public override async Task<ListAdaptersResponse> List(ListAdaptersRequest request, ServerCallContext context)
    {
        var asked = await adapters.ListAsync(Tenant(context), context.CancellationToken);
        if (asked.IsFailure(out var failure, out var listed))
        {
            throw ErrorWriter.Rpc(failure);
        }

        var response = new ListAdaptersResponse();
        response.Adapters.AddRange(listed.Select(Write));
        return response;
    }

    public override async Task<Adapter> Route(RouteAdapterRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        if (!ObjectId.TryParse(request.Version, out var version))
        {
            checks.Fail("version", "must be a version's id, 64 lower-case hexadecimal digits.");
        }

        checks.Range("share", request.Share, 0, 1);
        ChatService.Throw(checks);
        return Answer(await adapters.RouteAsync(Tenant(context), request.Name, version!.Value, request.Share, context.CancellationToken));
    }

    public override async Task<Adapter> RollBack(RollBackAdapterRequest request, ServerCallContext context) =>
        Answer(await adapters.RollBackAsync(Tenant(context), request.Name, context.CancellationToken));

    public override async Task<RemoveAdapterResponse> Remove(RemoveAdapterRequest request, ServerCallContext context)
    {
        var asked = await adapters.RemoveAsync(Tenant(context), request.Name, context.CancellationToken);
        return asked.IsFailure(out var failure, out var removed) ? throw ErrorWriter.Rpc(failure) : new RemoveAdapterResponse { Removed = removed };
    }

    private static TenantId Tenant(ServerCallContext context) => context.GetHttpContext().Caller().Tenant;

    private static Adapter Answer(Outcome<AdapterInfo> asked) => asked.IsFailure(out var failure, out var adapter) ? throw ErrorWriter.Rpc(failure) : Write(adapter);

    private static Adapter Write(AdapterInfo adapter)
    {
        var written = new Adapter { Name = adapter.Name, Model = adapter.Model, InUse = adapter.InUse.Value, OnTrial = adapter.OnTrial?.Value ?? "", TrialShare = adapter.TrialShare };
        written.Versions.AddRange(adapter.Versions.Select(version => new Llava.V1.AdapterVersion
        {
            Id = version.Object.Value,
            CreatedAt = Timestamp.FromDateTimeOffset(version.CreatedAt),
            Bytes = version.Bytes,
            Job = version.Job ?? "",
            BaseLoss = version.BaseLoss,
            AdapterLoss = version.AdapterLoss,
        }));
        return written;
    }
}
