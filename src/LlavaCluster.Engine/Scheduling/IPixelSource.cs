using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>Tells the scheduler whether an image's pixels are in memory, so that it could be encoded in this step.</summary>
internal interface IPixelSource
{
    bool IsReady(CacheKey image);
}
