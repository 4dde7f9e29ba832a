namespace LlavaCluster.Training.Tuning;

/// <summary>What a fine-tuning run trains. The vision tower is frozen in all of them, as LLaVA has it.</summary>
public enum TuningMethod
{
    /// <summary>The projector alone: stage 1 of the paper.</summary>
    Projector,

    /// <summary>Projector and language model: stage 2.</summary>
    Full,

    /// <summary>Low-rank changes of the language model's projections, and the projector if asked.</summary>
    Lora,
}
