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

    // A step longer than this makes every stream stutter. The rates are what a core reaches at least, so a step is shorter in practice.
    private const double StepSeconds = 4;
    private const double MachineCodeFlops = 100e9;
    private const double PortableFlops = 10e9;
    private const double GpuFlops = 20e12; // in bfloat16, of any that has it

    // A step that is slow only because others use the processor too must not count as hung: its chunk would be tried again, and be as slow, on every worker.
    private const double Patience = 4;
    private const int LeastTokensPerStep = 128; // below it products of a large model are bound by memory, and a smaller step is no faster

    /// <param name="parameters">Of the whole network; a token costs twice as many operations.</param>
    /// <param name="kvBytes">For the KV cache; one full context is kept whatever it says.</param>
    /// <param name="maxImageTokens">Of the largest picture.</param>
    /// <param name="flops">Operations a second that the device reaches at least: <see cref="OfCpu"/> or <see cref="OfGpu"/>.</param>
    public static EngineOptions For(LlavaConfig config, ScalarType type, long parameters, long kvBytes, int maxImageTokens, double flops)
    {
        var defaults = new EngineOptions();
        var needed = ((config.Text.MaxPositions + defaults.BlockSize - 1) / defaults.BlockSize) + SpareBlocks;
        var tokens = (int)Math.Clamp(StepSeconds * flops / (2.0 * parameters), LeastTokensPerStep, defaults.MaxTokensPerStep);
        var images = Math.Max(defaults.MaxImageTokensPerStep, maxImageTokens);
        var seconds = 2.0 * (((double)tokens * parameters) + ((double)images * Parameters(config.Vision))) / flops;
        return new EngineOptions
        {
            KvBlocks = (int)Math.Clamp(kvBytes / KvCache.BytesPerBlock(config.Text, defaults.BlockSize, type), needed, Math.Max(needed, MostBlocks)),
            ImageCacheTokens = (int)Math.Min(int.MaxValue, Math.Max(defaults.ImageCacheTokens, (long)CachedImages * maxImageTokens)),
            MaxTokensPerStep = tokens,
            ImageTokenCost = (double)Parameters(config.Vision) / Parameters(config.Text),
            StepTimeout = TimeSpan.FromSeconds(Math.Max(defaults.StepTimeout.TotalSeconds, Patience * seconds)),
        };
    }

    /// <param name="threads">Threads that compute.</param>
    /// <param name="machineCode">Whether products run in kernels of machine code.</param>
    public static double OfCpu(int threads, bool machineCode) => threads * (machineCode ? MachineCodeFlops : PortableFlops);

    public static double OfGpu => GpuFlops;

    // Of the layers' matrices: queries, keys, values and output, and those of the MLP.
    private static long Parameters(TextConfig text) =>
        (long)text.Layers * text.Hidden * ((2L * text.HeadDim * (text.Heads + text.KvHeads)) + (3L * text.Intermediate));

    // Likewise.
    private static long Parameters(VisionConfig vision) => (long)vision.Layers * vision.Hidden * ((4L * vision.Hidden) + (2L * vision.Intermediate));
}
