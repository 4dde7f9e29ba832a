using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Images;

/// <summary>Pictures by content, apart for each tenant. Storing the same bytes twice stores them once.</summary>
public interface IImageStore
{
    /// <returns>False if there is no room.</returns>
    Task<bool> PutAsync(TenantId tenant, ImageId image, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    Task<bool> ExistsAsync(TenantId tenant, ImageId image, CancellationToken cancellationToken);

    /// <returns>The bytes; null if the tenant has no such picture.</returns>
    Task<ReadOnlyMemory<byte>?> GetAsync(TenantId tenant, ImageId image, CancellationToken cancellationToken);
}
