namespace LlavaCluster.Training.Tuning;

/// <summary>How a run holds the matrices that it does not train.</summary>
public enum BaseWeights
{
    /// <summary>As the model folder has them.</summary>
    Stored,

    /// <summary>Those of the language model and the vision tower in 8 bits a weight and a scale for every 32, as serving's q8: the adapter learns beside what these stand for.</summary>
    Q8,
}
