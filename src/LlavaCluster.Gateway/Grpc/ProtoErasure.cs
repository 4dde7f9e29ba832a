using Llava.V1;
using LlavaCluster.Abstractions.Tenants;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>Erasures in the public contract's words.</summary>
internal static class ProtoErasure
{
    public static EraseTenantResponse Write(TenantErasure erasure) => new()
    {
        ErasureId = erasure.Id.ToString(),
        Finished = erasure.FinishedAt is not null,
        WaitsFor = erasure.WaitsFor ?? "",
        Found = erasure.Found is { } found ? Write(found) : null,
        CachedBlocks = erasure.Caches.Blocks,
        CachedImages = erasure.Caches.Images,
        LoadedAdapters = erasure.Caches.Adapters,
    };

    private static Llava.V1.TenantContents Write(Abstractions.Tenants.TenantContents found) => new()
    {
        Keys = found.Keys,
        Jobs = found.Jobs,
        Conversations = found.Conversations,
        Adapters = found.Adapters,
        Files = found.Files,
        Objects = found.Objects,
        Bytes = found.Bytes,
    };
}
