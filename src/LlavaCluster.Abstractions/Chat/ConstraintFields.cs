namespace LlavaCluster.Abstractions.Chat;

/// <summary>How failures of a constrained answer name what they are about: the public contract's fields. HTTP has other names for them.</summary>
public static class ConstraintFields
{
    public const string JsonSchema = "json_schema";

    public const string Regex = "regex";

    public const string Choice = "choice";
}
