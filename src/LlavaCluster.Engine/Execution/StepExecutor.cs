using System.Numerics;
using System.Runtime.InteropServices;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Runs a plan and keeps faults to those who cause them: a batch that throws is run again in halves until only the guilty image or row is left out.
/// Running a row again is safe, since it writes the same keys and values to the same slots. One thread.
/// </summary>
internal sealed class StepExecutor(IModelRunner runner, PixelPool pixels, int vocabulary)
{
    private readonly List<ImageWork> _work = [];
    private readonly List<StepRow> _rows = [];
    private readonly List<int> _planRows = [];
    private float[] _logits = [];
    private int[] _picks = [];
    private ImageWork _part; // its pixels may leave the pool before it is encoded

    /// <summary>Results of the last step, by row of the plan.</summary>
    public List<RowResult> Results { get; } = [];

    /// <summary>Slots whose image could not be encoded in the last step, with the reason.</summary>
    public Dictionary<int, Exception> FailedSlots { get; } = [];

    public void Execute(StepPlan plan)
    {
        Results.Clear();
        FailedSlots.Clear();
        runner.DropImages(plan.DroppedSlots);
        EncodePart(plan);
        Encode(plan);
        SelectRows(plan);
        Reserve(After(default, CollectionsMarshal.AsSpan(_rows)));
        Forward(0, _rows.Count, default);
    }

    /// <summary>What came of a row that sampled, after so many of its guesses; valid until the next step.</summary>
    public RowScores ScoresOf(RowResult result, int guesses) =>
        result.IsPicked ? RowScores.Picked(_picks[result.Sample + guesses]) : RowScores.Row(_logits.AsSpan((result.Sample + guesses) * vocabulary, vocabulary));

    /// <summary>Whether the device still computes anything.</summary>
    public bool DeviceAnswers()
    {
        try
        {
            runner.Probe();
            return true;
        }
        catch (Exception)
        {
            // Whatever it throws is the answer; the faults that led to the question are logged.
            return false;
        }
    }

    private void EncodePart(StepPlan plan)
    {
        if (plan.Part is not { } part)
        {
            return;
        }

        if (part.First == 0)
        {
            _part = pixels.Work(part.Image);
        }

        try
        {
            runner.EncodePart(_part, part.First, part.Count);
        }
        catch (Exception exception)
        {
            // As below: the requests that read it fail, or it is tried again as a whole.
            FailedSlots.Add(part.Image.Slot, exception);
        }

        if (part.IsLast || FailedSlots.Count > 0)
        {
            _part = default;
        }
    }

    private void Encode(StepPlan plan)
    {
        _work.Clear();
        foreach (var encode in plan.Encodes)
        {
            _work.Add(pixels.Work(encode));
        }

        if (_work.Count > 0)
        {
            Encode(_work);
        }
    }

    private void Encode(List<ImageWork> images)
    {
        try
        {
            runner.Encode(images);
        }
        catch (Exception exception)
        {
            // The edge of fault isolation: the exception becomes the guilty requests' failure.
            if (images.Count == 1)
            {
                FailedSlots.Add(images[0].Slot, exception);
                return;
            }

            var half = images.Count / 2;
            Encode(images.GetRange(0, half));
            Encode(images.GetRange(half, images.Count - half));
        }
    }

    private void SelectRows(StepPlan plan)
    {
        _rows.Clear();
        _planRows.Clear();
        foreach (var row in plan.Rows)
        {
            var fault = FaultOf(row);
            Results.Add(new RowResult(fault, RowResult.NoSample));
            if (fault is null)
            {
                _rows.Add(row);
                _planRows.Add(Results.Count - 1);
            }
        }
    }

    private Exception? FaultOf(in StepRow row)
    {
        if (FailedSlots.Count > 0)
        {
            foreach (var image in row.Sequence.Images)
            {
                if (FailedSlots.TryGetValue(image.Slot, out var fault))
                {
                    return fault;
                }
            }
        }

        return null;
    }

    // How many there are changes with every step's guesses: few sizes, so that it soon allocates no more.
    private void Reserve(Place most)
    {
        if (_logits.Length < most.Sample * vocabulary)
        {
            _logits = new float[(int)BitOperations.RoundUpToPowerOf2((uint)most.Sample) * vocabulary];
        }

        if (_picks.Length < most.Pick)
        {
            _picks = new int[BitOperations.RoundUpToPowerOf2((uint)most.Pick)];
        }
    }

    private bool IsPicked(in StepRow row) => runner.Picks && row.Sequence.Draw != DrawKind.Sampler;

    private Place After(Place place, ReadOnlySpan<StepRow> rows)
    {
        foreach (ref readonly var row in rows)
        {
            place = IsPicked(row) ? place with { Pick = place.Pick + row.Sampled } : place with { Sample = place.Sample + row.Sampled };
        }

        return place;
    }

    private void Forward(int first, int count, Place place)
    {
        if (count == 0)
        {
            return;
        }

        var rows = CollectionsMarshal.AsSpan(_rows).Slice(first, count);
        try
        {
            runner.Forward(rows, _logits.AsSpan(place.Sample * vocabulary), _picks.AsSpan(place.Pick));
            for (var i = 0; i < count; i++)
            {
                var isPicked = IsPicked(rows[i]);
                Results[_planRows[first + i]] = new RowResult(null, !rows[i].Samples ? RowResult.NoSample : isPicked ? place.Pick : place.Sample, isPicked);
                place = After(place, rows.Slice(i, 1));
            }
        }
        catch (Exception exception)
        {
            // The edge of fault isolation: the exception becomes the guilty request's failure.
            if (count == 1)
            {
                Results[_planRows[first]] = new RowResult(exception, RowResult.NoSample);
                return;
            }

            var half = count / 2;
            Forward(first, half, place);
            Forward(first + half, count - half, After(place, rows[..half]));
        }
    }

    /// <summary>Where the next row's results go: so many rows of logits and so many picks are before them.</summary>
    private readonly record struct Place(int Sample, int Pick);
}

/// <summary>What came of one row.</summary>
/// <param name="Fault">Why it could not be computed, or null.</param>
/// <param name="Sample">Index of its logits or of its pick, those after its guesses behind them, or <see cref="NoSample"/>.</param>
/// <param name="IsPicked">Which of the two.</param>
internal readonly record struct RowResult(Exception? Fault, int Sample, bool IsPicked = false)
{
    public const int NoSample = -1;
}
