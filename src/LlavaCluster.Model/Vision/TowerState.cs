using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>How far a batch of tiles has come through the tower: its hidden state, and the states that features are taken from.</summary>
internal sealed class TowerState(int selected) : IDisposable
{
    private readonly Tensor?[] _selected = new Tensor?[selected];

    /// <summary>[tiles, tokens, hidden]</summary>
    public Tensor Hidden { get; set; } = null!;

    /// <summary>Blocks that have run.</summary>
    public int Blocks { get; set; }

    public void Select(int index, Tensor state) => _selected[index] = state;

    /// <summary>[tiles, tokens, hidden * layers]; all feature layers must have been passed.</summary>
    public Tensor Features() => _selected.Length == 1 ? _selected[0]! : cat(_selected.Select(state => state!).ToList(), -1);

    /// <summary>Keeps what is alive in the current dispose scope beyond it.</summary>
    public void Detach()
    {
        Hidden.DetachFromDisposeScope();
        foreach (var state in _selected)
        {
            state?.DetachFromDisposeScope();
        }
    }

    public void Dispose()
    {
        Hidden.Dispose();
        foreach (var state in _selected)
        {
            state?.Dispose();
        }
    }
}
