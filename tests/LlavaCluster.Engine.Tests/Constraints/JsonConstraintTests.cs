using System.Text.Json;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Constraints.Vocabulary;

namespace LlavaCluster.Engine.Tests.Constraints;

public sealed class JsonConstraintTests
{
    private const int Draws = 25;

    private static readonly TokenVocabulary Vocabulary = Vocabularies.Of(Vocabularies.JsonWords);

    public static TheoryData<string> Schemas() =>
    [
        "true",
        """{"type":"object"}""",
        """{"type":"string"}""",
        """{"type":"number"}""",
        """{"type":["integer","null","boolean"]}""",
        """{"type":"integer","minimum":-17,"maximum":205}""",
        """{"type":"integer","exclusiveMinimum":99,"exclusiveMaximum":100000.5}""",
        """{"type":"integer","maximum":-3}""",
        """{"type":"string","minLength":2,"maxLength":4}""",
        """{"type":"string","pattern":"^[a-c\"\\n]{2,5}$"}""",
        """{"type":"string","pattern":"cat|^dog"}""",
        """{"type":"string","format":"date"}""",
        """{"type":"string","format":"uuid"}""",
        """{"type":"string","format":"date-time"}""",
        """{"enum":["a","b\"c",1,null,[1,{"a":2}],"\u00e9"]}""",
        """{"type":"string","enum":["cat","dog",3]}""",
        """{"const":{"name":"cat","id":[1,2]}}""",
        """{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3}""",
        """{"type":"array","items":false}""",
        """{"type":"array","maxItems":2}""",
        """{"type":"object","properties":{"name":{"type":"string"},"id":{"type":"integer"}},"required":["name","id"],"additionalProperties":false}""",
        """{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"boolean"},"c":{"type":"integer"}},"required":["b"]}""",
        """{"properties":{"a":{"type":"null"},"b":{"type":"boolean"},"c":{"type":"integer"}}}""",
        """{"type":"object","properties":{"a":{"type":"null"},"ab":{"type":"null"},"\u00e9\"":{"const":1}},"additionalProperties":{"type":"boolean"}}""",
        """{"type":"object","required":["id"],"additionalProperties":{"type":"integer"}}""",
        """{"type":"object","required":["id","name"],"properties":{"name":{"type":"null"}}}""",
        """{"type":"object","additionalProperties":{"type":"array","items":{"type":"null"}}}""",
        """{"anyOf":[{"type":"object","properties":{"a":{"const":1}},"required":["a"]},{"type":"object","properties":{"a":{"const":12}},"required":["a"]},{"type":"null"}]}""",
        """{"oneOf":[{"type":"object","properties":{"kind":{"const":"cat"},"a":{"type":"null"}},"required":["kind"]},{"$ref":"#/$defs/dog"}],"$defs":{"dog":{"type":"object","properties":{"kind":{"enum":["dog"]}},"required":["kind"]}}}""",
        """{"oneOf":[{"type":"string"},{"type":"integer"},{"enum":[null,true]}]}""",
        """{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"id":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["id","next"],"additionalProperties":false}}}""",
        """{"type":"object","properties":{"name":{"type":"string","maxLength":3},"next":{"type":"array","items":{"$ref":"#"}}},"required":["name"],"additionalProperties":false}""",
        """{"allOf":[{"type":"boolean"}],"title":"t","description":"d"}""",
    ];

    [Theory]
    [MemberData(nameof(Schemas))]
    public void Draw_ForASchema_GivesJsonThatSatisfiesIt(string schema)
    {
        var compiled = Vocabularies.Compile(new ConstraintSpec.JsonSchema(schema), Vocabulary);
        using var document = JsonDocument.Parse(schema);
        for (var seed = 0; seed < Draws; seed++)
        {
            var text = RandomWalk.Draw(compiled, Vocabulary, seed);
            using var value = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 80 });
            Assert.True(SchemaValidator.IsValid(document.RootElement, value.RootElement, document.RootElement), text);
        }
    }

    [Fact]
    public void Draw_ForAnyJsonObject_GivesOne()
    {
        var compiled = Vocabularies.Compile(new ConstraintSpec.JsonObject(), Vocabulary);
        for (var seed = 0; seed < 100; seed++)
        {
            using var value = JsonDocument.Parse(RandomWalk.Draw(compiled, Vocabulary, seed), new JsonDocumentOptions { MaxDepth = 80 });
            Assert.Equal(JsonValueKind.Object, value.RootElement.ValueKind);
        }
    }

    [Theory]
    [InlineData("""{"a":1,"b":[true,null,-1.5e+10,"x\u00e9\ud83d\udc31\n"],"c":{}}""", true)]
    [InlineData("""{"a": 1, "b": [true, {"c": []}]}""", true)]
    [InlineData("""{"a":"猫🐱\"\\\/\b\f\n\r\t"}""", true)]
    [InlineData("""{ "a":1}""", false)]
    [InlineData("""{"a":  1}""", false)]
    [InlineData("""{"a":01}""", false)]
    [InlineData("""{"a":1.}""", false)]
    [InlineData("""{"a":"\ud83d"}""", false)]
    [InlineData("""{"a":"\x"}""", false)]
    [InlineData("{\"a\":\"\n\"}", false)]
    [InlineData("""{"a":1,}""", false)]
    [InlineData("""[1]""", false)]
    public void Advance_ByteByByte_AcceptsJsonObjectsInTheDocumentedWhitespace(string text, bool isAccepted) =>
        Assert.Equal(isAccepted, Vocabularies.Accepts(Vocabularies.Compile(new ConstraintSpec.JsonObject(), Vocabulary), text));

    [Fact]
    public void Advance_ForEveryIntegerNearTheBounds_AcceptsExactlyTheRange()
    {
        foreach (var (low, high) in new[] { (-105, 98), (0, 0), (7, 1203), (-9, -9), (-1000, -98), (1, 99) })
        {
            var compiled = Vocabularies.Compile(new ConstraintSpec.JsonSchema($$"""{"type":"integer","minimum":{{low}},"maximum":{{high}}}"""), Vocabulary);
            for (var value = -1300; value <= 1300; value++)
            {
                Assert.Equal(value >= low && value <= high, Vocabularies.Accepts(compiled, value.ToString(System.Globalization.CultureInfo.InvariantCulture)));
            }

            Assert.False(Vocabularies.Accepts(compiled, "-0"));
        }
    }

    [Theory]
    [InlineData("""{"a":null,"c":1}""", true)]
    [InlineData("""{"c":1}""", true)]
    [InlineData("{}", true)]
    [InlineData("""{"c":1,"a":null}""", false)]
    [InlineData("""{"d":1}""", false)]
    [InlineData("""{"a":null,"a":null}""", false)]
    public void Advance_ForOptionalProperties_AcceptsAnyOfThemInSchemaOrder(string text, bool isAccepted)
    {
        var spec = new ConstraintSpec.JsonSchema("""{"properties":{"a":{"type":"null"},"b":{"type":"boolean"},"c":{"type":"integer"}}}""");
        Assert.Equal(isAccepted, Vocabularies.Accepts(Vocabularies.Compile(spec, Vocabulary), text));
    }

    [Theory]
    [InlineData("""{"ab":true,"abc":false}""", true)]
    [InlineData("""{"a":null,"b":true}""", true)]
    [InlineData("""{"a":true}""", false)]
    [InlineData("""{"\u0061":true}""", false)]
    [InlineData("""{"":true}""", true)]
    public void Advance_ForAdditionalProperties_NeverTakesADeclaredName(string text, bool isAccepted)
    {
        var spec = new ConstraintSpec.JsonSchema("""{"properties":{"a":{"type":"null"}},"additionalProperties":{"type":"boolean"}}""");
        Assert.Equal(isAccepted, Vocabularies.Accepts(Vocabularies.Compile(spec, Vocabulary), text));
    }

    [Fact]
    public void Draw_WhenNestingReachesTheLimit_ClosesInTime()
    {
        // The only way to grow is to nest, and the walk below takes it as long as it is offered.
        var compiled = Vocabularies.Compile(new ConstraintSpec.JsonSchema("""{"type":"array","items":{"$ref":"#"}}"""), Vocabulary);
        var constraint = compiled.Begin();
        var depth = 0;
        while (constraint.Advance(Vocabularies.FirstByte + '['))
        {
            depth++;
        }

        Assert.InRange(depth, 30, 66);
        Assert.All(Enumerable.Range(0, depth), _ => Assert.True(constraint.Advance(Vocabularies.FirstByte + ']')));
        Assert.True(constraint.Advance(Vocabularies.End));
    }
}
