using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Tests.Constraints;

public sealed class TokenConstraintTests
{
    private static readonly TokenVocabulary Words = Vocabularies.OfWordsAlone("c", "cat", "at", "\u2581cat", "\u2581", "s", " ");

    private const int C = 3;
    private const int Cat = 4;
    private const int At = 5;
    private const int SpaceCat = 6;
    private const int Space = 7;
    private const int S = 8;

    [Fact]
    public void Allowed_AtTheStart_TakesTheWordMarkAsTheDummyPrefix()
    {
        var constraint = Vocabularies.Compile(new ConstraintSpec.Choice(["cat", "cats"]), Words).Begin();
        Assert.Equal([C, Cat, SpaceCat, Space], Vocabularies.AllowedIds(constraint, Words));
        Assert.True(constraint.Advance(SpaceCat));
        Assert.Equal([Vocabularies.End, S], Vocabularies.AllowedIds(constraint, Words));
    }

    [Fact]
    public void Allowed_AfterTheStart_TakesTheWordMarkAsASpace()
    {
        var constraint = Vocabularies.Compile(new ConstraintSpec.Choice(["cat", " cat"]), Words).Begin();
        Assert.True(constraint.Advance(Space));
        Assert.Equal([C, Cat, SpaceCat, Space, Space + 2], Vocabularies.AllowedIds(constraint, Words));
    }

    [Fact]
    public void Advance_ForWhatIsNotAllowed_ReturnsFalseAndKeepsTheState()
    {
        var constraint = Vocabularies.Compile(new ConstraintSpec.Choice(["cat"]), Words).Begin();
        foreach (var id in new[] { -1, 0, Vocabularies.End, At, S, 10_000 })
        {
            Assert.False(constraint.Advance(id));
        }

        Assert.True(constraint.Advance(C));
        Assert.Equal([At], Vocabularies.AllowedIds(constraint, Words));
        Assert.True(constraint.Advance(At));
        Assert.Equal([Vocabularies.End], Vocabularies.AllowedIds(constraint, Words));
        Assert.True(constraint.Advance(Vocabularies.End));
        Assert.False(constraint.Advance(Vocabularies.End));
        Assert.Empty(Vocabularies.AllowedIds(constraint, Words));
    }

    [Fact]
    public void Advance_ByTheJournaledIds_BringsAnAnswerBackInAnotherCompilation()
    {
        var vocabulary = Vocabularies.Of(Vocabularies.JsonWords);
        var spec = new ConstraintSpec.JsonObject();
        var first = Vocabularies.Compile(spec, vocabulary).Begin();
        var second = Vocabularies.Compile(spec, vocabulary).Begin();
        var random = new Random(5);
        var ids = new List<int>();
        for (var step = 0; step < 25; step++)
        {
            var allowed = Vocabularies.AllowedIds(first, vocabulary);
            var id = allowed[random.Next(allowed.Length)];
            if (id == Vocabularies.End)
            {
                break;
            }

            ids.Add(id);
            first.Advance(id);
        }

        Assert.All(ids, id => Assert.True(second.Advance(id)));
        Assert.Equal(first.Allowed, second.Allowed);
    }

    [Fact]
    public void Begin_ForSeveralAnswers_KeepsThemApart()
    {
        var compiled = Vocabularies.Compile(new ConstraintSpec.Choice(["cat", "s"]), Words);
        var (first, second) = (compiled.Begin(), compiled.Begin());
        Assert.True(first.Advance(S));
        Assert.True(first.Advance(Vocabularies.End));
        Assert.False(second.Advance(Vocabularies.End));
        Assert.True(second.Advance(Cat));
    }

    [Theory]
    [InlineData("red", "green", "\u00e9t\u00e9", "\ud83d\udc31")]
    [InlineData("a", "ab", "abc")]
    public void Draw_ForChoices_GivesOneOfThem(params string[] texts)
    {
        var vocabulary = Vocabularies.Of("re", "d", "gre", "en", "a", "b", "\u00e9");
        var compiled = Vocabularies.Compile(new ConstraintSpec.Choice([.. texts]), vocabulary);
        var drawn = Enumerable.Range(0, 60).Select(seed => RandomWalk.Draw(compiled, vocabulary, seed)).ToHashSet();
        Assert.True(drawn.SetEquals(texts));
    }

    [Fact]
    public void Compile_ForBadChoices_NamesTheRule()
    {
        Assert.Equal("choice: must have 1 to 1024 texts; had 0", Vocabularies.Refusal(new ConstraintSpec.Choice([])));
        Assert.Equal("choice: must have 1 to 1024 texts; had 1025", Vocabularies.Refusal(new ConstraintSpec.Choice([.. Enumerable.Repeat("a", 1025)])));
        Assert.Equal("choice: must be well-formed Unicode; has a lone surrogate", Vocabularies.Refusal(new ConstraintSpec.Choice(["a", "\ud800"])));
        Assert.Equal("json_schema: must be well-formed Unicode; has a lone surrogate", Vocabularies.Refusal(new ConstraintSpec.JsonSchema("\"\udc00\"")));
        Assert.Equal("choice: a text must not be empty", Vocabularies.Refusal(new ConstraintSpec.Choice(["a", ""])));
        Assert.Equal("choice: its texts must have at most 65536 characters together; had 65537", Vocabularies.Refusal(new ConstraintSpec.Choice([new string('x', 65_537)])));
    }

    [Fact]
    public void Compile_WhenTheVocabularyCannotBeginTheText_IsRefused() =>
        Assert.Equal(
            "choice: no token of the model's vocabulary can begin the text.",
            Assert.IsType<ConstraintCompilation.Refused>(ConstraintCompiler.Compile(new ConstraintSpec.Choice(["dog"]), Vocabularies.OfWordsAlone("cat", "o"))).Message);
}
