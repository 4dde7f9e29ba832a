using static TorchSharp.torch;

namespace LlavaCluster.Model.Adapters;

/// <summary>
/// Which rows of a batch use which adapter; rows of no group use the base weights. Rows are an int64 index on the first axis, or null for all rows;
/// no row is in two groups, and only a group of all rows has its input thinned. The caller owns the index tensors and the adapters.
/// </summary>
public sealed class AdapterBatch(IReadOnlyList<(LoraAdapter Adapter, Tensor? Rows)> groups)
{
    /// <summary>What a low-rank product is given in place of a projection's input, by the projection's name: training's dropout; null for the input itself.</summary>
    public Func<string, Tensor, Tensor>? Thin { get; init; }

    /// <summary>Every row uses one adapter.</summary>
    public static AdapterBatch Whole(LoraAdapter adapter) => new([(adapter, null)]);

    internal Tensor Apply(string projection, Tensor input, Tensor output)
    {
        foreach (var (adapter, rows) in groups)
        {
            if (adapter.ChangeOf(projection) is { } change)
            {
                output = rows is null
                    ? change.Apply(input, output, Thin is null || change.Down is null ? input : Thin(projection, input))
                    : output.index_copy(0, rows, change.Apply(input.index_select(0, rows), output.index_select(0, rows)));
            }
        }

        return output;
    }
}
