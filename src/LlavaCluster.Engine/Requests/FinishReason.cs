namespace LlavaCluster.Engine;

/// <summary>Why a choice ended.</summary>
public enum FinishReason
{
    /// <summary>An end-of-sequence token, a stop text, or a constraint that is complete.</summary>
    Stop,

    /// <summary>max_tokens or the model's context is full.</summary>
    Length,

    /// <summary>The request failed; see <see cref="RequestFailure"/>.</summary>
    Failed,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}
