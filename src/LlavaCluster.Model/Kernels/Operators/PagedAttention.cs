using LlavaCluster.Model.Language;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>
/// Causal attention of a packed batch over a paged cache with libtorch's own operators, on any device: writes the batch's keys and values, then for every batch of the plan gathers the
/// blocks by table and runs one scaled dot-product attention. Query heads that share a key head become further query rows, so keys are not repeated. What a row may not see is masked
/// by its position. The reference for our kernels. Made and used within one dispose scope.
/// </summary>
internal sealed class PagedAttention : IAttention
{
    private readonly KvCache _cache;
    private readonly AttentionPlan _plan;
    private readonly StepInputs _inputs;
    private readonly Tensor[] _masks;

    /// <param name="plan">Of the step that the inputs are of.</param>
    /// <param name="constants">In the type of queries and cache.</param>
    /// <param name="shared">Query heads of a key head.</param>
    public PagedAttention(KvCache cache, AttentionPlan plan, StepInputs inputs, DeviceConstants constants, int shared)
    {
        (_cache, _plan, _inputs) = (cache, plan, inputs);
        cache.Clear(inputs.Tails);
        var positions = inputs.Lanes is { } lanes ? inputs.Positions.index_select(0, lanes) : inputs.Positions; // [lanes]
        var first = 0;
        _masks = [.. plan.Batches.Select(batch => Mask(batch, positions.narrow(0, (first += batch.Lanes) - batch.Lanes, batch.Lanes)))];

        // 0 where a row may look and minus infinity elsewhere, [sequences, 1, 1 or rows * shared, context]
        Tensor Mask(AttentionBatch batch, Tensor places)
        {
            long context = (long)batch.Blocks * cache.BlockSize;
            var sees = constants.Positions.narrow(0, 0, context).le(places.view(batch.Sequences, batch.Rows, 1));
            var mask = where(sees, constants.Zero, constants.Never); // [sequences, rows, context]
            return batch.Rows == 1 || shared == 1
                ? mask.unsqueeze(1)
                : mask.unsqueeze(2).expand(-1, -1, shared, -1).reshape(batch.Sequences, 1, (long)batch.Rows * shared, context);
        }
    }

    public Tensor Attend(int layer, Tensor query, Tensor key, Tensor value)
    {
        using var scope = NewDisposeScope();
        _cache.Write(layer, _inputs.Slots, key, value);
        var lanes = _inputs.Lanes is null ? query : query.index_select(0, _inputs.Lanes); // [lanes, heads, headDim]
        var parts = new Tensor[_plan.Batches.Count];
        var first = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            var batch = _plan.Batches[i];
            parts[i] = AttendTogether(layer, i, batch, lanes.narrow(0, first, batch.Lanes), key.shape[1]);
            first += batch.Lanes;
        }

        var all = parts.Length == 1 ? parts[0] : cat(parts, 0); // [lanes, heads, headDim]
        return (_inputs.Home is null ? all : all.index_select(0, _inputs.Home)).MoveToOuterDisposeScope();
    }

    private Tensor AttendTogether(int layer, int index, AttentionBatch batch, Tensor query, long kvHeads)
    {
        long heads = query.shape[1], headDim = query.shape[2], shared = heads / kvHeads;
        var (keys, values) = _cache.Read(layer, _inputs.Tables[index], batch.Sequences); // [sequences, kvHeads, context, headDim]
        var rows = query.view(batch.Sequences, batch.Rows, kvHeads, shared, headDim)
            .permute(0, 2, 1, 3, 4)
            .reshape(batch.Sequences, kvHeads, batch.Rows * shared, headDim);
        var attended = nn.functional.scaled_dot_product_attention(rows, keys, values, _masks[index]);
        return attended.view(batch.Sequences, kvHeads, batch.Rows, shared, headDim)
            .permute(0, 2, 1, 3, 4)
            .reshape(batch.Lanes, heads, headDim);
    }
}
