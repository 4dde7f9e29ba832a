using LlavaCluster.Engine.Constraints.Automata;

namespace LlavaCluster.Engine.Constraints.Json;

/// <summary>
/// The names an additional property may have: all strings of plain characters but the declared names, so that it never repeats one.
/// Names with escapes are left out; an escape could spell a declared name another way.
/// </summary>
internal static class OtherNames
{
    /// <summary>The quoted names.</summary>
    public static GrammarNode Build(JsonGrammar json, IEnumerable<string> declared)
    {
        var plain = json.Grammar.Shared("plain character", () => Utf8.Encode(JsonStrings.Plain));
        int[][] names = [.. declared.Select(name => name.EnumerateRunes().Select(rune => rune.Value).ToArray())];
        return json.Quoted(Not(names, 0, GrammarNode.Many(plain)));
    }

    // Everything but the rest of these names from one depth on; all agree before it.
    private static GrammarNode Not(int[][] names, int depth, GrammarNode anything)
    {
        var branches = new List<GrammarNode>();
        if (names.All(name => name.Length > depth))
        {
            branches.Add(GrammarNode.Empty);
        }

        var byNext = names.Where(name => name.Length > depth).GroupBy(name => name[depth]).ToArray();
        var nexts = CodePointSet.Of(byNext.Select(group => (group.Key, group.Key)));
        branches.Add(GrammarNode.Join(Utf8.Encode(JsonStrings.Plain.Except(nexts)), anything));
        foreach (var group in byNext)
        {
            branches.Add(GrammarNode.Join(JsonStrings.Encode(CodePointSet.Of((group.Key, group.Key))), Not([.. group], depth + 1, anything)));
        }

        return GrammarNode.AnyOf(branches);
    }
}
