using LlavaCluster.Model.Adapters;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Tiles on their way through libtorch's operators. Its numbers are those of <see cref="LlavaNetwork.EncodeTiles"/>.</summary>
internal sealed class TileEncoding : ITileEncoding
{
    private readonly ClipVisionTower _tower;
    private readonly Projector _projector;
    private readonly AdapterBatch? _adapters;
    private readonly TowerState _state;

    internal TileEncoding(ClipVisionTower tower, Projector projector, Tensor pixels, AdapterBatch? adapters)
    {
        (_tower, _projector, _adapters) = (tower, projector, adapters);
        using var scope = NewDisposeScope();
        _state = tower.Begin(pixels, null);
        _state.Detach();
    }

    public void Advance(int stages)
    {
        using var scope = NewDisposeScope();
        using var before = _state.Hidden;
        _tower.Advance(_state, stages, _adapters, null);
        _state.Detach();
    }

    public Tensor Finish() => _projector.Forward(_state.Features(), _adapters);

    public void Dispose() => _state.Dispose();
}
