using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>
/// Tiles on their way through tower and projector, a few stages at a time, so that an encoding need not hold up what else the device does. Its numbers are those of
/// <see cref="LlavaNetwork.EncodeTiles"/>. Owns its state; one thread, the network's.
/// </summary>
public sealed class TileEncoding : IDisposable
{
    private readonly ClipVisionTower _tower;
    private readonly Projector _projector;
    private readonly TowerState _state;

    internal TileEncoding(ClipVisionTower tower, Projector projector, Tensor pixels)
    {
        (_tower, _projector) = (tower, projector);
        using var scope = NewDisposeScope();
        _state = tower.Begin(pixels, null);
        _state.Detach();
    }

    /// <summary>Goes on by so many stages, at most to the end.</summary>
    public void Advance(int stages)
    {
        using var scope = NewDisposeScope();
        using var before = _state.Hidden;
        _tower.Advance(_state, stages, null, null);
        _state.Detach();
    }

    /// <summary>Projected features, [tiles, tokensPerTile, hidden], in the caller's dispose scope. All stages must have run.</summary>
    public Tensor Finish() => _projector.Forward(_state.Features(), null);

    public void Dispose() => _state.Dispose();
}
