using System.Collections.Immutable;

namespace LlavaCluster.Engine.Constraints;

/// <summary>What the whole text of an answer must be. As given by the client; <see cref="ConstraintCompiler"/> checks it.</summary>
public abstract record ConstraintSpec
{
    private ConstraintSpec()
    {
    }

    /// <summary>One of some texts, exactly.</summary>
    public sealed record Choice(ImmutableArray<string> Texts) : ConstraintSpec;

    /// <summary>A text that the pattern matches from its first to its last character. The syntax is that of <see cref="Regex.RegexParser"/>.</summary>
    public sealed record Pattern(string Regex) : ConstraintSpec;

    /// <summary>A JSON text that satisfies the schema. Keywords and whitespace are those of <see cref="Json.JsonSchemaCompiler"/>.</summary>
    public sealed record JsonSchema(string Schema) : ConstraintSpec;

    /// <summary>Any JSON object (<c>response_format: json_object</c>).</summary>
    public sealed record JsonObject : ConstraintSpec;
}
