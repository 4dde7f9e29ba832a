namespace LlavaCluster.Engine.Sampling;

/// <summary>What the next token is drawn by.</summary>
internal enum DrawKind
{
    /// <summary>The whole row of logits.</summary>
    Sampler,

    /// <summary>The highest logit alone, reserved ids aside.</summary>
    Highest,

    /// <summary>The highest logit that does not end the answer, unless nothing else is left.</summary>
    HighestButEnds,
}
