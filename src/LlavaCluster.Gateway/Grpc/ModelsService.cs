using Grpc.Core;
using Llava.V1;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>The served models over gRPC.</summary>
internal sealed class ModelsService(TenantAdapters adapters) : Models.ModelsBase
{
    public override async Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context)
    {
        var tenant = context.GetHttpContext().Caller().Tenant;
        var asked = await adapters.ModelsAsync(tenant, context.CancellationToken);
        if (asked.IsFailure(out var failure, out var models))
        {
            throw ErrorWriter.Rpc(failure);
        }

        var response = new ListModelsResponse();
        response.Models.AddRange(models.Select(model => ProtoWriting.Model(model, tenant)));
        return response;
    }

    public override async Task<Model> Get(GetModelRequest request, ServerCallContext context)
    {
        var tenant = context.GetHttpContext().Caller().Tenant;
        var asked = await adapters.FindModelAsync(tenant, request.Name, context.CancellationToken);
        return asked.IsFailure(out var failure, out var model)
            ? throw ErrorWriter.Rpc(failure == TenantAdapters.UnknownModel ? failure with { Message = "name must be one of those that List returns.", Field = "name" } : failure)
            : ProtoWriting.Model(model, tenant);
    }
}
