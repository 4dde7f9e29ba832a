using System.Runtime.InteropServices;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Kernels.Decoding;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>A step's whole numbers on the device, int64 each: views of one upload, in the dispose scope of who asked and until the next upload.</summary>
internal sealed class StepInputs
{
    private StepInputs()
    {
    }

    /// <summary>[tokens]</summary>
    public required Tensor Ids { get; init; }

    /// <summary>[tokens]</summary>
    public required Tensor Positions { get; init; }

    /// <summary>The tokens' places in the cache, [tokens].</summary>
    public required Tensor Slots { get; init; }

    /// <summary>Places behind the sequences' last tokens, up to the end of their blocks.</summary>
    public required Tensor Tails { get; init; }

    /// <summary>Tokens whose scores are computed: first those whose logits are wanted, then those that are picked from.</summary>
    public required Tensor Scored { get; init; }

    /// <summary>[picked] 1 where the pick is to be no end of an answer, else 0.</summary>
    public required Tensor SkipsEnds { get; init; }

    /// <summary><see cref="AttentionPlan.Lanes"/>; null where they are the tokens in order.</summary>
    public required Tensor? Lanes { get; init; }

    /// <summary><see cref="AttentionPlan.Home"/>; null where they are the lanes in order.</summary>
    public required Tensor? Home { get; init; }

    /// <summary>For every batch of the plan its block ids, [sequences * blocks].</summary>
    public required Tensor[] Tables { get; init; }

    /// <summary>Which tokens use which adapter; null where all are the base's.</summary>
    public required AdapterBatch? Adapters { get; init; }

    /// <summary>The same for <see cref="Scored"/>.</summary>
    public required AdapterBatch? ScoredAdapters { get; init; }

    /// <summary>Packs and sends it.</summary>
    /// <param name="numbers">Scratch.</param>
    public static StepInputs Upload(DecoderStep step, AttentionPlan plan, List<long> numbers, DeviceLink link)
    {
        numbers.Clear();
        var batch = step.Batch;
        var (ids, positions, slots) = (Pack(step.Ids), Pack(batch.Positions), Pack(batch.Slots));
        var tails = Section(batch.AddTails);
        var scored = Section(target =>
        {
            target.AddRange(CollectionsMarshal.AsSpan(step.Sampled));
            target.AddRange(step.Picked.Select(row => (long)row.Row));
        });
        var ends = Section(target => target.AddRange(step.Picked.Select(row => row.SkipsEnds ? 1L : 0L)));
        var (lanes, home) = plan.IsPlain ? default : (Pack(plan.Lanes), Pack(plan.Home));
        var adapters = step.Adapters.Count == 0 ? [] : new StepAdapters(step).Groups.Select(group => (group.Adapter, Rows: Pack(group.Rows), Scored: Pack(group.Scored))).ToArray();
        var tables = plan.Batches.Select(each => Section(target => plan.AddTable(each, target))).ToArray();

        CollectionsMarshal.AsSpan(numbers).CopyTo(link.Stage(numbers.Count));
        var all = link.Upload(numbers.Count);
        return new StepInputs
        {
            Ids = View(ids),
            Positions = View(positions),
            Slots = View(slots),
            Tails = View(tails),
            Scored = View(scored),
            SkipsEnds = View(ends),
            Lanes = plan.IsPlain ? null : View(lanes),
            Home = plan.IsPlain ? null : View(home),
            Tables = [.. tables.Select(View)],
            Adapters = Batch(adapters.Select(group => (group.Adapter, group.Rows))),
            ScoredAdapters = Batch(adapters.Select(group => (group.Adapter, group.Scored))),
        };

        AdapterBatch? Batch(IEnumerable<(LoraAdapter Adapter, (int First, int Count) Rows)> groups)
        {
            var used = groups.Where(group => group.Rows.Count > 0).Select(group => (group.Adapter, (Tensor?)View(group.Rows))).ToArray();
            return used.Length == 0 ? null : new AdapterBatch(used);
        }

        Tensor View((int First, int Count) section) => all.narrow(0, section.First, section.Count);

        (int First, int Count) Pack(List<long> values) => Section(target => target.AddRange(CollectionsMarshal.AsSpan(values)));

        (int First, int Count) Section(Action<List<long>> add)
        {
            var first = numbers.Count;
            add(numbers);
            return (first, numbers.Count - first);
        }
    }
}
