using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Adapters;

/// <summary>Whether an adapter fits its base, which only who has the base's shapes can say.</summary>
internal interface IAdapterFit
{
    /// <summary>Why a stored adapter cannot be used with a model, or cannot be looked at now; null where it fits.</summary>
    Task<ChatFailure?> RefusalAsync(TenantId tenant, string model, ObjectId adapter, CancellationToken cancellationToken);
}
