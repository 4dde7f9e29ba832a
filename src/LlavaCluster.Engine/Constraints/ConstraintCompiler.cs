using System.Collections.Immutable;
using LlavaCluster.Engine.Constraints.Automata;
using LlavaCluster.Engine.Constraints.Json;
using LlavaCluster.Engine.Constraints.Regex;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Constraints;

/// <summary>
/// Turns what a client asks for into a <see cref="CompiledConstraint"/>. Takes bounded time (<see cref="ConstraintLimits"/>) but up to some
/// tens of milliseconds: do it where a request is admitted, not on the device thread.
/// </summary>
internal static class ConstraintCompiler
{
    public static ConstraintCompilation Compile(ConstraintSpec spec, TokenVocabulary vocabulary)
    {
        try
        {
            var grammar = new Grammar();
            RequireWellFormed(spec);
            grammar.DefineRoot(Root(spec, grammar));
            var compiled = new CompiledConstraint(Nfa.Compile(grammar), vocabulary);

            // The first mask is the widest walk most constraints ever need, so what is too costly mostly shows here.
            return compiled.Begin().Allowed.ContainsAnyExcept(0UL)
                ? new ConstraintCompilation.Ready(compiled)
                : new ConstraintCompilation.Refused(Name(spec), $"{Name(spec)}: no token of the model's vocabulary can begin the text.");
        }
        catch (Exception fault) when (fault is ConstraintSyntaxException or ConstraintLimitException)
        {
            return new ConstraintCompilation.Refused(Name(spec), $"{Name(spec)}: {fault.Message}");
        }
    }

    private static string Name(ConstraintSpec spec) => spec switch
    {
        ConstraintSpec.Choice => "choice",
        ConstraintSpec.Pattern => "regex",
        ConstraintSpec.JsonSchema => "json_schema",
        _ => "json_object",
    };

    private static void RequireWellFormed(ConstraintSpec spec)
    {
        ImmutableArray<string> texts = spec switch
        {
            ConstraintSpec.Choice { Texts.IsDefault: false } choice => choice.Texts,
            ConstraintSpec.Pattern pattern => [pattern.Regex],
            ConstraintSpec.JsonSchema schema => [schema.Schema],
            _ => [],
        };
        if (!texts.All(text => Utf8.IsWellFormed(text)))
        {
            throw new ConstraintSyntaxException("must be well-formed Unicode; has a lone surrogate");
        }
    }

    private static GrammarNode Root(ConstraintSpec spec, Grammar grammar) => spec switch
    {
        ConstraintSpec.Choice choice => Choices(choice.Texts),
        ConstraintSpec.Pattern pattern => WholeMatch(pattern.Regex, grammar),
        ConstraintSpec.JsonSchema schema => JsonSchemaCompiler.Compile(schema.Schema, new JsonGrammar(grammar)),
        ConstraintSpec.JsonObject => new JsonGrammar(grammar).AnyObject,
        _ => throw new ArgumentOutOfRangeException(nameof(spec), spec.GetType().Name, "No such constraint."),
    };

    private static GrammarNode Choices(ImmutableArray<string> texts)
    {
        if (texts.IsDefaultOrEmpty || texts.Length > ConstraintLimits.MaxChoices)
        {
            throw new ConstraintSyntaxException($"must have 1 to {ConstraintLimits.MaxChoices} texts; had {(texts.IsDefault ? 0 : texts.Length)}");
        }

        if (texts.Sum(text => (long)text.Length) is var length && length > ConstraintLimits.MaxChoiceCharacters)
        {
            throw new ConstraintSyntaxException($"its texts must have at most {ConstraintLimits.MaxChoiceCharacters} characters together; had {length}");
        }

        return texts.FirstOrDefault(text => text.Length == 0) is not null
            ? throw new ConstraintSyntaxException("a text must not be empty")
            : GrammarNode.AnyOf(texts.Select(GrammarNode.Text));
    }

    // The answer is the match, so the anchors at the ends change nothing.
    private static GrammarNode WholeMatch(string pattern, Grammar grammar)
    {
        GrammarNode Encode(CodePointSet set) => grammar.Shared(set.Key, () => Utf8.Encode(set));
        return GrammarNode.AnyOf(RegexParser.Parse(pattern, Encode).Select(branch => branch.Body));
    }
}
