namespace LlavaCluster.Engine;

/// <summary>Why an accepted request could not be finished. Carries no prompt, image or key.</summary>
public sealed record RequestFailure(FailureKind Kind, string Message);

public enum FailureKind
{
    /// <summary>The deadline passed before the answer was complete.</summary>
    DeadlineExceeded,

    /// <summary>An image cannot be decoded or encoded, or is stored no longer, whoever tries.</summary>
    Image,

    /// <summary>An image's pixels could not be read for now: where they are stored is slow or does not answer.</summary>
    ImageUnread,

    /// <summary>The model's scores for this request were not finite.</summary>
    NotFinite,

    /// <summary>This request alone makes the step throw.</summary>
    Poisoned,

    /// <summary>The constraint leaves no token of this vocabulary, or costs too much to follow.</summary>
    Constraint,

    /// <summary>Nobody read the updates.</summary>
    Unread,

    /// <summary>The device fails whatever the request.</summary>
    DeviceFault,

    /// <summary>The engine is shutting down.</summary>
    EngineStopped,
}
