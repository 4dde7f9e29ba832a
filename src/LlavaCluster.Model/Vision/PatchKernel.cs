using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>The convolution whose stride is its size, as the matrix product it is: [tiles, 3, S, S] to [tiles, patches, hidden].</summary>
internal sealed class PatchKernel : nn.Module
{
    private readonly VisionConfig _config;

    [ComponentName(Name = "weight")]
    private readonly Parameter _weight; // [hidden, 3, patch, patch]

    public PatchKernel(WeightScope scope, VisionConfig config)
        : base(nameof(PatchKernel))
    {
        _config = config;
        _weight = scope.Take("weight", config.Hidden, 3, config.PatchSize, config.PatchSize);
        RegisterComponents();
    }

    public Tensor Forward(Tensor pixels)
    {
        long grid = _config.Grid, patch = _config.PatchSize, used = grid * patch;
        var patches = pixels.narrow(2, 0, used).narrow(3, 0, used).reshape(-1, 3, grid, patch, grid, patch)
            .permute(0, 2, 4, 1, 3, 5).reshape(-1, grid * grid, 3 * patch * patch);
        return nn.functional.linear(patches, _weight.view(_config.Hidden, -1));
    }
}
