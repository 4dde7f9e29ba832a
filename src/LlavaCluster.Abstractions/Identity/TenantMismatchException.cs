namespace LlavaCluster.Abstractions.Identity;

/// <summary>A grain of one tenant was called without that tenant's valid stamp. A fault of the caller's code, never of a client's request.</summary>
[GenerateSerializer, Alias("llava.tenant-mismatch")]
public sealed class TenantMismatchException(string message) : Exception(message);
