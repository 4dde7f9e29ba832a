using LlavaCluster.Engine.Caching;

namespace LlavaCluster.Engine.Scheduling;

/// <summary>An image that is too much for one step beside its answers is encoded stage by stage, one at a time, and its sequence is admitted in the step that completes it.</summary>
internal sealed partial class Scheduler
{
    private ImageEncode? _part;
    private int _partStages; // that have run
    private bool _nextWhole;

    /// <summary>Books the part that was planned last.</summary>
    /// <param name="failed">Its image is tried again as a whole, beside the rows that read it: there a fault finds its requests.</param>
    public void CommitPart(in ImagePart part, bool failed)
    {
        if (failed)
        {
            features.MarkFailed(part.Image.Slot);
            _nextWhole = true;
        }
        else if (part.IsLast)
        {
            features.MarkReady(part.Image.Slot);
        }

        if (failed || part.IsLast)
        {
            _part = null;
        }
    }

    /// <summary>Goes on with what was begun in an earlier step. It gets a stage in every step that computes anything beside answers, so that prompts cannot starve it.</summary>
    private void GoOnEncoding()
    {
        if (_part is not { } image || _plan.Part is not null)
        {
            return;
        }

        if (!pixels.IsNeeded(image.Key))
        {
            features.MarkFailed(image.Slot);
            _part = null;
        }
        else if (_mayCompute)
        {
            PlanPart(image);
        }
    }

    private void PlanPart(ImageEncode image)
    {
        var perStage = WorkOf(image.Tokens) / encodingStages;
        var left = encodingStages - _partStages;
        var stages = perStage > 0 ? (int)Math.Clamp(_besideLeft / perStage, 1, left) : left;
        var part = new ImagePart(image, _partStages, stages, encodingStages);
        _plan.Add(part);
        _partStages += stages;
        _besideLeft -= stages * perStage;
        if (part.IsLast)
        {
            features.MarkArriving(image.Slot);
        }
    }

    /// <summary>Plans the encoding of a reserved image: whole where the step has room, otherwise its first stages. True if its features can be read in this very step.</summary>
    private bool PlanEncoding(ImageEncode image)
    {
        if (_nextWhole || WorkOf(image.Tokens) <= _besideLeft)
        {
            _nextWhole = false;
            _plan.Add(image);
            _besideLeft -= WorkOf(image.Tokens);
            features.MarkArriving(image.Slot);
            return true;
        }

        (_part, _partStages) = (image, 0);
        PlanPart(image);
        return _plan.Part!.Value.IsLast;
    }

    private double WorkOf(int imageTokens) => imageTokens * options.ImageTokenCost;
}
