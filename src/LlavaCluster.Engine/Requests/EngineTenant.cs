namespace LlavaCluster.Engine;

/// <summary>On whose behalf a request runs.</summary>
/// <param name="Id">Names the tenant in fair scheduling and in erasure.</param>
/// <param name="Salt">A secret of the tenant that the server derives, never one that a client sends: cached blocks and image features are found only under the salt they were computed under.</param>
/// <param name="Weight">Share of the device relative to other tenants that wait; greater than 0.</param>
public sealed record EngineTenant(string Id, ReadOnlyMemory<byte> Salt, double Weight = 1)
{
    /// <summary>Bytes of the shortest salt: a shorter one could be guessed or shared by mistake.</summary>
    public const int LeastSalt = 16;
}
