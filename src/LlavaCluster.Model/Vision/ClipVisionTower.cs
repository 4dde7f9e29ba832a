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
        Depth = config.FeatureLayers.Max();
        _transformer = new VisionTransformer(scope.Child("vision_model"), config.Vision, Depth);
        RegisterComponents();
    }

    /// <summary>Blocks that run.</summary>
    public int Depth { get; }

    /// <param name="probe">Sees hidden state i: 0 before the blocks, i after block i - 1; for comparisons with a reference.</param>
    public Tensor Forward(Tensor pixels, AdapterBatch? adapters, Action<int, Tensor>? probe)
    {
        var state = Begin(pixels, probe); // its tensors belong to the caller's scope
        Advance(state, Depth, adapters, probe);
        return state.Features();
    }

    /// <summary>Tiles before the first block.</summary>
    public TowerState Begin(Tensor pixels, Action<int, Tensor>? probe)
    {
        var state = new TowerState(_config.FeatureLayers.Count) { Hidden = _transformer.Embed(pixels) };
        Note(state, probe);
        return state;
    }

    /// <summary>Runs so many blocks more, at most to the last that is needed.</summary>
    public void Advance(TowerState state, int blocks, AdapterBatch? adapters, Action<int, Tensor>? probe)
    {
        for (var end = Math.Min(state.Blocks + blocks, Depth); state.Blocks < end;)
        {
            state.Hidden = _transformer.Block(state.Blocks, state.Hidden, adapters);
            state.Blocks++;
            Note(state, probe);
        }
    }

    private void Note(TowerState state, Action<int, Tensor>? probe)
    {
        probe?.Invoke(state.Blocks, state.Hidden);
        for (var i = 0; i < _config.FeatureLayers.Count; i++)
        {
            if (_config.FeatureLayers[i] == state.Blocks)
            {
                state.Select(i, Select(state.Hidden));
            }
        }
    }

    // A tensor of its own either way: the hidden state may be disposed when the next one is there.
    private Tensor Select(Tensor hidden) =>
        _config.FeatureSelect == FeatureSelect.Full ? hidden.alias() : hidden.narrow(1, 1, hidden.shape[1] - 1);
}
