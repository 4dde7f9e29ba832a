using System.Text.Json;
using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>Integers with or without bounds, and numbers without.</summary>
internal static class NumberSchema
{
    // Beyond the 18 digits an integer may have, a bound says nothing more.
    private const double Beyond = 1e18;

    private static readonly string[] Bounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

    public static GrammarNode CompileNumber(JsonGrammar json, SchemaView schema)
    {
        var bound = Bounds.FirstOrDefault(schema.Has);
        return bound is null ? json.Number : throw schema.Refused($"keyword '{bound}' is supported for integers only");
    }

    public static GrammarNode CompileInteger(JsonGrammar json, SchemaView schema)
    {
        if (!Bounds.Any(schema.Has))
        {
            return json.Integer;
        }

        var low = Max(Bound(schema, "minimum", decimal.Ceiling), Bound(schema, "exclusiveMinimum", value => decimal.Floor(value) + 1));
        var high = Min(Bound(schema, "maximum", decimal.Floor), Bound(schema, "exclusiveMaximum", value => decimal.Ceiling(value) - 1));
        return low > high ? throw schema.Refused($"an integer must be >= {low} and <= {high}: there is none") : IntegerRange.Build(low, high);
    }

    private static decimal? Bound(SchemaView schema, string keyword, Func<decimal, decimal> round)
    {
        if (schema.Find(keyword) is not { } view)
        {
            return null;
        }

        view.Expect(JsonValueKind.Number, "a number");
        return view.Element.TryGetDecimal(out var exact) && Math.Abs(exact) < (decimal)Beyond ? round(exact) : view.Element.GetDouble() < 0 ? -(decimal)Beyond : (decimal)Beyond;
    }

    private static decimal? Max(decimal? x, decimal? y) => x is null ? y : y is null ? x : Math.Max(x.Value, y.Value);

    private static decimal? Min(decimal? x, decimal? y) => x is null ? y : y is null ? x : Math.Min(x.Value, y.Value);
}
