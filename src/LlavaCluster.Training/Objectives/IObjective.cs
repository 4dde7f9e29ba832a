using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>A network and what is to be made small. Used by one thread at a time.</summary>
public interface IObjective<in TBatch> : IDisposable
{
    /// <summary>Every parameter by name; the objective owns them.</summary>
    IReadOnlyList<(string Name, Tensor Value)> Parameters { get; }

    /// <summary>How many terms the batch's loss sums.</summary>
    long Terms(TBatch batch);

    /// <summary>The sum of the batch's losses over its terms, a scalar with its graph. Belongs to the caller's scope.</summary>
    Tensor Loss(TBatch batch);
}
