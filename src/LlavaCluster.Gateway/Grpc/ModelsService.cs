using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>The served models over gRPC.</summary>
internal sealed class ModelsService(IModelCatalog catalog) : Models.ModelsBase
{
    public override Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context)
    {
        var response = new ListModelsResponse();
        response.Models.AddRange(catalog.Models.Select(card => ProtoWriting.Model(card, card.Name)));
        return Task.FromResult(response);
    }

    public override Task<Model> Get(GetModelRequest request, ServerCallContext context) => catalog.Find(request.Name) is { } card
        ? Task.FromResult(ProtoWriting.Model(card, request.Name))
        : throw ErrorWriter.Rpc(new ChatFailure(ChatFailureKind.ModelNotFound, "name must be one of those that List returns.", "name"));
}
