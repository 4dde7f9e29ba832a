namespace LlavaCluster.Abstractions.Identity;

/// <summary>
/// A grain that belongs to the tenant its key starts with: <c>{tenant}</c> or <c>{tenant}/...</c>.
/// Every silo refuses a call to one unless the caller holds that tenant's signed stamp.
/// </summary>
public interface ITenantScopedGrain : IGrainWithStringKey;
