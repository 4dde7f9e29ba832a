using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Kernels.Decoding;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>The adapters of a step, each once, with the tokens that it computes and, among those that are scored, the places of its own. Plain numbers.</summary>
internal sealed class StepAdapters
{
    private readonly Dictionary<LoraAdapter, (List<long> Rows, List<long> Scored)> _groups = [];

    /// <exception cref="ArgumentException">An adapter was made by another decoder, or two of them compute the same row.</exception>
    public StepAdapters(DecoderStep step)
    {
        var adapters = new LoraAdapter?[step.Ids.Count];
        var end = 0;
        foreach (var (made, row, count) in step.Adapters)
        {
            var adapter = made as LoraAdapter ?? throw new ArgumentException($"An adapter must be made by the decoder of the step; was a {made.GetType().Name}.", nameof(step));
            if (row < end || count < 1 || row + count > adapters.Length)
            {
                throw new ArgumentException($"An adapter's rows must lie behind those before, from {end} on, and end at {adapters.Length} at most; were {row} to {row + count - 1}.", nameof(step));
            }

            end = row + count;
            _groups.TryAdd(adapter, ([], []));
            for (var i = row; i < end; i++)
            {
                adapters[i] = adapter;
                _groups[adapter].Rows.Add(i);
            }
        }

        for (var i = 0; i < step.Sampled.Count + step.Picked.Count && _groups.Count > 0; i++)
        {
            var row = i < step.Sampled.Count ? step.Sampled[i] : step.Picked[i - step.Sampled.Count].Row;
            if (adapters[(int)row] is { } adapter)
            {
                _groups[adapter].Scored.Add(i);
            }
        }
    }

    public IEnumerable<(LoraAdapter Adapter, List<long> Rows, List<long> Scored)> Groups => _groups.Select(group => (group.Key, group.Value.Rows, group.Value.Scored));
}
