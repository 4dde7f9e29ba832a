using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>The highest logit of each row, found on the device: the lowest id among equals, as argmax has it on every device. Owns its tensors; one thread.</summary>
internal sealed class TokenPicker : IDisposable
{
    private readonly Scalar _banned = Scalars.Of(float.NegativeInfinity);
    private readonly Tensor? _reserved; // [ids]
    private readonly Tensor? _ends; // [ids]
    private readonly Tensor _infinity, _never, _notFinite, _nothing; // [1]

    public TokenPicker(TokenBans bans, Device device)
    {
        (_reserved, _ends) = (Ids(bans.Reserved), Ids(bans.Ends));
        (_infinity, _never, _notFinite, _nothing) = (Number(float.PositiveInfinity), Number(float.NegativeInfinity), Number(PickedRow.NotFinite), Number(PickedRow.NothingAllowed));

        Tensor? Ids(IReadOnlyList<int> ids) => ids.Count == 0 ? null : tensor([.. ids.Select(id => (long)id)], device: device).DetachFromDisposeScope();

        Tensor Number(float value) => tensor(new[] { value }, device: device).DetachFromDisposeScope();
    }

    /// <summary>Ids, or why there is none (<see cref="PickedRow"/>), as float32 [rows], which holds every id below 2^24.</summary>
    /// <param name="logits">[rows, vocab] in float32; banned ids are overwritten.</param>
    /// <param name="skipsEnds">[rows] int64, 1 where no end of an answer is picked while something else is left; null where no row asks for it.</param>
    public Tensor Pick(Tensor logits, Tensor? skipsEnds)
    {
        Ban(logits, _reserved);
        var (ids, best) = Highest(logits);
        var picked = ids;
        if (skipsEnds is not null && _ends is not null)
        {
            Ban(logits, _ends);
            var (others, left) = Highest(logits);
            picked = where(left.gt(_never).bitwise_and(skipsEnds.to(ScalarType.Bool)), others, ids);
        }

        // Whether a row is sound is asked of all that is not reserved, ends included.
        picked = where(best.gt(_never), picked, _nothing);
        return where(best.lt(_infinity), picked, _notFinite); // neither for NaN
    }

    public void Dispose()
    {
        foreach (var tensor in new[] { _reserved, _ends, _infinity, _never, _notFinite, _nothing })
        {
            tensor?.Dispose();
        }
    }

    private void Ban(Tensor logits, Tensor? ids)
    {
        if (ids is not null)
        {
            logits.index_fill_(1, ids, _banned);
        }
    }

    // [rows] each; NaN is higher than anything.
    private static (Tensor Ids, Tensor Best) Highest(Tensor logits)
    {
        var at = logits.argmax(1, keepdim: true); // [rows, 1]
        return (at.squeeze(1).to(ScalarType.Float32), logits.gather(1, at).squeeze(1));
    }
}
