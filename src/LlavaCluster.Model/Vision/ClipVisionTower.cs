using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>
/// CLIP's vision transformer, run only as far as the feature layers need (LLaVA uses the state before the last block, so the last block and the
/// final norm never run; where a checkpoint has them they are not even loaded). Pixels [tiles, 3, S, S] to features [tiles, tokens, hidden * layers].
/// </summary>
internal sealed class ClipVisionTower : nn.Module
{
    private readonly LlavaConfig _config;

    [ComponentName(Name = "vision_model")]
    private readonly VisionTransformer _transformer;

    public ClipVisionTower(WeightScope scope, LlavaConfig config)
        : base(nameof(ClipVisionTower))
    {
        _config = config;
        _transformer = new VisionTransformer(scope.Child("vision_model"), config.Vision, config.FeatureLayers.Max());
        RegisterComponents();
    }

    /// <param name="probe">Sees each hidden state; for comparisons with a reference.</param>
    public Tensor Forward(Tensor pixels, AdapterBatch? adapters, Action<int, Tensor>? probe)
    {
        var selected = new Tensor[_config.FeatureLayers.Count];
        _transformer.Forward(pixels, adapters, (state, hidden) =>
        {
            probe?.Invoke(state, hidden);
            for (var i = 0; i < selected.Length; i++)
            {
                if (_config.FeatureLayers[i] == state)
                {
                    selected[i] = Select(hidden);
                }
            }
        });
        return selected.Length == 1 ? selected[0] : cat(selected, -1);
    }

    private Tensor Select(Tensor hidden) =>
        _config.FeatureSelect == FeatureSelect.Full ? hidden : hidden.narrow(1, 1, hidden.shape[1] - 1);
}
