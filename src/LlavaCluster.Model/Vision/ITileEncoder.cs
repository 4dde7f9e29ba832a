using LlavaCluster.Model.Adapters;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Vision;

/// <summary>Tower and projector: pictures' tiles to features for the language model. One thread; it does not own the network.</summary>
public interface ITileEncoder : IDisposable
{
    /// <summary>Parts of an encoding; at least 1.</summary>
    int Stages { get; }

    /// <summary>Begins with normalised pixels [tiles, 3, S, S] in float32, on the host or the network's device; the caller owns the encoding.</summary>
    /// <param name="adapter">What it changes of tower and projector is used; it must outlive the encoding. Null for the base.</param>
    ITileEncoding Begin(Tensor pixels, LoraAdapter? adapter = null);
}

/// <summary>
/// Tiles on their way through tower and projector, a few stages at a time, so that an encoding need not hold up what else the device does. Owns its state; the encoder's thread.
/// </summary>
public interface ITileEncoding : IDisposable
{
    /// <summary>Goes on by so many stages, at most to the end.</summary>
    void Advance(int stages);

    /// <summary>Projected features, [tiles, tokensPerTile, hidden] in the network's type, in the caller's dispose scope. All stages must have run.</summary>
    Tensor Finish();
}
