namespace LlavaCluster.Client;

/// <summary>Keys of ChatOptions.AdditionalProperties for what Microsoft.Extensions.AI has no field for.</summary>
public static class LlavaProperties
{
    /// <summary>Guid: the same id begins the same answer once, however often it is sent. Default: a new one.</summary>
    public const string TurnId = "turn_id";

    /// <summary>long: skip the events up to this sequence number of an answer begun before under <see cref="TurnId"/>.</summary>
    public const string ResumeFrom = "resume_from";

    /// <summary>double, 0 (off) to 1.</summary>
    public const string MinP = "min_p";

    /// <summary>double, greater than 0 and at most 2; 1 is off.</summary>
    public const string RepetitionPenalty = "repetition_penalty";

    /// <summary>string: a regular expression that the answer must match.</summary>
    public const string Regex = "regex";

    /// <summary>IEnumerable&lt;string&gt;: the answer must be one of these.</summary>
    public const string Choice = "choice";
}
