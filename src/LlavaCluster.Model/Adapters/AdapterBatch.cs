using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>
/// Which rows of a batch use which adapter; rows of no group use the base weights.
/// A group's rows are an int64 index on the first axis, or null for all rows. The caller owns the index tensors.
/// </summary>
public sealed class AdapterBatch(IReadOnlyList<(LoraAdapter Adapter, Tensor? Rows)> groups)
{
    /// <summary>Every row uses one adapter.</summary>
    public static AdapterBatch Whole(LoraAdapter adapter) => new([(adapter, null)]);

    internal Tensor Apply(string projection, Tensor input, Tensor output)
    {
        foreach (var (adapter, rows) in groups)
        {
            if (adapter.Projections.TryGetValue(projection, out var lora))
            {
                output = rows is null ? output + Delta(lora, input) : output.index_add(0, rows, Delta(lora, input.index_select(0, rows)), 1);
            }
        }

        return output;
    }

    private static Tensor Delta(LoraWeights lora, Tensor input) =>
        nn.functional.linear(nn.functional.linear(input, lora.Down), lora.Up) * lora.Scale;
}
