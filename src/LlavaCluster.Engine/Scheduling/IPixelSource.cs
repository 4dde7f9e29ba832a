using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>Tells the scheduler of images that are to be encoded.</summary>
internal interface IPixelSource
{
    /// <summary>Whether the pixels are in memory, so that it could be encoded in this step.</summary>
    bool IsReady(CacheKey image);

    /// <summary>Whether any request needs it.</summary>
    bool IsNeeded(CacheKey image);
}
