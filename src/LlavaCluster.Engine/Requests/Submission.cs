using System.Threading.Channels;

namespace LlavaCluster.Engine;

/// <summary>The engine's answer to a request: a stream, or the reason why not.</summary>
public abstract record Submission
{
    private Submission()
    {
    }

    /// <param name="Updates">Ends by itself. The last update of the request carries its usage or its failure. One reader.</param>
    public sealed record Accepted(ChannelReader<TokenUpdate> Updates) : Submission;

    /// <param name="Reason">The kind of refusal.</param>
    /// <param name="Message">Names the field, the bound and the value.</param>
    /// <param name="RetryAfter">When it may be worth another try here; null where the same request will always be refused.</param>
    public sealed record Rejected(RejectionReason Reason, string Message, TimeSpan? RetryAfter = null, string? Field = null) : Submission;
}

public enum RejectionReason
{
    /// <summary>A field is out of its bounds.</summary>
    Invalid,

    /// <summary>It could never fit this engine's context, KV cache or image cache.</summary>
    TooLarge,

    /// <summary>The queue is full.</summary>
    Overloaded,

    /// <summary>This engine does not have the adapter.</summary>
    AdapterMissing,

    /// <summary>The engine is stopping, hung or has lost its device.</summary>
    Unavailable,
}
