using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine;

/// <summary>One prompt and how to answer it.</summary>
public sealed record EngineRequest
{
    /// <summary>For logs and traces; the engine does not require it to be unique.</summary>
    public required string Id { get; init; }

    public required EngineTenant Tenant { get; init; }

    /// <summary>At least one token in all.</summary>
    public required IReadOnlyList<PromptSegment> Prompt { get; init; }

    /// <summary>Without a seed the engine draws one; whoever journals tokens to resume elsewhere must set it.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>What the text of every answer must be; null where it is free.</summary>
    public ConstraintSpec? Constraint { get; init; }

    /// <summary>The LoRA adapter; null for the base model.</summary>
    public ContentDigest? Adapter { get; init; }

    public RequestPriority Priority { get; init; }

    /// <summary>From then on the request is dropped, finished or not.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>
    /// Tokens that earlier runs of this request already emitted, by choice; the stream goes on after them. Sampling positions, penalties, stop texts,
    /// constraint and text decoding continue as if nothing had happened.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<int>> Emitted { get; init; } = [];

    /// <summary>Leading prompt tokens whose keys and values may be shared between tenants, where <see cref="EngineOptions.AllowPublicScope"/> says so.</summary>
    public int PublicTokens { get; init; }
}
