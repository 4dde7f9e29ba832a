using LlavaCluster.Engine.Constraints;

namespace LlavaCluster.Engine.Tests.Constraints;

/// <summary>What a client can make a constraint cost. Times are not asserted; the bounds that keep them small are.</summary>
public sealed class ConstraintCostTests
{
    [Fact]
    public void Allowed_WhenAMaskTakesTooManyReadings_FailsInsteadOfKeepingTheDeviceThread()
    {
        var random = new Random(4);
        char Letter() => (char)('a' + random.Next(26));
        var words = Enumerable.Range(0, 20_000).Select(_ => string.Concat(Enumerable.Range(0, 7).Select(_ => Letter()))).Distinct().ToArray();
        var constraint = Vocabularies.Compile(new ConstraintSpec.Pattern("([a-z]|[a-m][a-z]{3}|[c-z][a-z]{7}){1,4000}"), Vocabularies.Of(words)).Begin();

        var fault = Assert.Throws<ConstraintLimitException>(() =>
        {
            for (var step = 0; step < 100; step++)
            {
                Assert.True(constraint.Allowed.ContainsAnyExcept(0UL));
                Assert.True(constraint.Advance(Vocabularies.FirstByte + Letter()));
            }
        });

        Assert.Equal("The constraint is too ambiguous: one mask may look at 1000000 readings at most.", fault.Message);
    }

    [Fact]
    public void Allowed_WhenTheMasksOfAnAnswerTakeTooManyReadings_FailsTheAnswer()
    {
        var random = new Random(4);
        char Letter() => (char)('a' + random.Next(26));
        // Few enough words that no single mask is too much.
        var words = Enumerable.Range(0, 100).Select(_ => string.Concat(Enumerable.Range(0, 7).Select(_ => Letter()))).Distinct().ToArray();
        var compiled = Vocabularies.Compile(new ConstraintSpec.Pattern("([a-z]|[a-m][a-z]{3}|[c-z][a-z]{7}){1,4000}"), Vocabularies.Of(words));
        var constraint = compiled.Begin();

        var fault = Assert.Throws<ConstraintLimitException>(() =>
        {
            for (var step = 0; step < 400; step++)
            {
                Assert.True(constraint.Allowed.ContainsAnyExcept(0UL));
                Assert.True(constraint.Advance(Vocabularies.FirstByte + Letter()));
            }
        });

        Assert.Equal("The constraint is too ambiguous: one answer may look at 20000000 readings at most.", fault.Message);
        Assert.True(compiled.Begin().Allowed.ContainsAnyExcept(0UL));
    }

    [Fact]
    public void Advance_WhenTheMemoryOfStatesStartsAnew_KeepsToThePattern()
    {
        var constraint = Vocabularies.Compile(new ConstraintSpec.Pattern("[ab]*a[ab]{300}c"), Vocabularies.Of()).Begin();
        var random = new Random(3);
        var text = string.Concat(Enumerable.Range(0, 3000).Select(_ => (char)('a' + random.Next(2))));
        for (var at = 0; at < text.Length; at++)
        {
            Assert.True(constraint.Advance(Vocabularies.FirstByte + text[at]));
            var c = Vocabularies.FirstByte + 'c';
            Assert.Equal(at >= 300 && text[at - 300] == 'a', (constraint.Allowed[c / 64] >> (c % 64) & 1) != 0);
        }
    }

    [Fact]
    public void Compile_WhenBranchesTakeTooManyComparisons_IsRefused()
    {
        var branches = Enumerable.Range(0, 64).Select(branch => $"{{\"enum\":[{string.Join(',', Enumerable.Range(branch * 170, 170))}]}}");

        Assert.Equal(
            "json_schema: #/oneOf: must take at most 1000000 comparisons of values to tell its branches apart; takes more",
            Vocabularies.Refusal(new ConstraintSpec.JsonSchema($"{{\"oneOf\":[{string.Join(',', branches)}]}}")));
    }

    [Fact]
    public void Compile_OfReferencesBehindReferences_SaysHowDeepTheyGo()
    {
        var chain = string.Join(',', Enumerable.Range(0, 1000).Select(i => $"\"a{i}\":{{\"$ref\":\"#/$defs/a{i + 1}\"}}"));

        Assert.Equal(
            "json_schema: its shortest text must nest at most 64 deep; was 1001",
            Vocabularies.Refusal(new ConstraintSpec.JsonSchema($"{{\"$ref\":\"#/$defs/a0\",\"$defs\":{{{chain},\"a1000\":{{\"const\":1}}}}}}")));
    }
}
