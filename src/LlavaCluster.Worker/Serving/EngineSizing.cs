using LlavaCluster.Engine;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels;
using static TorchSharp.torch;

namespace LlavaCluster.Worker.Serving;

/// <summary>How large an engine's pools and steps are for a given model on a given machine.</summary>
internal static class EngineSizing
{
    private const int MostBlocks = 65_536;
    private const int SpareBlocks = 8; // beside one full context, so that a second request can begin
    private const int CachedImages = 4;

    // A step longer than this makes every stream stutter. The rate is what a core reaches at least, so a step is shorter in practice.
    private const double StepSeconds = 4;
    private const double FlopsPerThread = 100e9;
    private const int LeastTokensPerStep = 128; // below it products of a large model are bound by memory, and a smaller step is no faster

    /// <param name="parameters">Of the whole network; a token costs twice as many operations.</param>
    /// <param name="kvBytes">For the KV cache; one full context is kept whatever it says.</param>
    /// <param name="maxImageTokens">Of the largest picture.</param>
    /// <param name="threads">Threads that compute.</param>
    public static EngineOptions For(TextConfig text, ScalarType type, long parameters, long kvBytes, int maxImageTokens, int threads)
    {
        var defaults = new EngineOptions();
        var context = (text.MaxPositions + defaults.BlockSize - 1) / defaults.BlockSize;
        return new EngineOptions
        {
            KvBlocks = (int)Math.Clamp(kvBytes / KvCache.BytesPerBlock(text, defaults.BlockSize, type), context + SpareBlocks, MostBlocks),
            ImageCacheTokens = (int)Math.Min(int.MaxValue, Math.Max(defaults.ImageCacheTokens, (long)CachedImages * maxImageTokens)),
            MaxTokensPerStep = (int)Math.Clamp(StepSeconds * threads * FlopsPerThread / (2.0 * parameters), LeastTokensPerStep, defaults.MaxTokensPerStep),
        };
    }
}
