using LlavaCluster.Engine.Constraints;

namespace LlavaCluster.Engine.Tests.Constraints;

public sealed class JsonRefusalTests
{
    [Theory]
    [InlineData("""{"patternProperties":{}}""", "#: keyword 'patternProperties' is not supported here")]
    [InlineData("""{"type":"object","properties":{"a":{"not":{}}}}""", "#/properties/a: keyword 'not' is not supported here")]
    [InlineData("""{"type":"number","minimum":1}""", "#: keyword 'minimum' is supported for integers only")]
    [InlineData("""{"type":"number","multipleOf":2}""", "#: keyword 'multipleOf' is not supported here")]
    [InlineData("""{"type":"text"}""", "#/type: must be one of object, array, string, number, boolean, null, integer; was 'text'")]
    [InlineData("""{"type":"string","minLength":-1}""", "#/minLength: must be an integer >= 0 and <= 4096; was -1")]
    [InlineData("""{"type":"string","maxLength":1000000}""", "#/maxLength: must be an integer >= 0 and <= 4096; was 1000000")]
    [InlineData("""{"type":"string","minLength":3,"maxLength":2}""", "#: minLength must be <= maxLength; was 3 and 2")]
    [InlineData("""{"type":"array","minItems":3,"maxItems":2}""", "#: minItems must be <= maxItems; was 3 and 2")]
    [InlineData("""{"type":"string","pattern":"(?=a)"}""", "#/pattern: only (?: is supported of the groups that begin with (?, at position 0")]
    [InlineData("""{"type":"string","pattern":"a","maxLength":3}""", "#: pattern, format and a length are supported only one at a time")]
    [InlineData("""{"type":"string","format":"ipv6"}""", "#/format: must be one of date, time, date-time, uuid; was 'ipv6'")]
    [InlineData("""{"type":"integer","minimum":3,"maximum":2}""", "#: an integer must be >= 3 and <= 2: there is none")]
    [InlineData("""{"$ref":"http://other"}""", "#/$ref: must be a reference into the same schema (#/...); was 'http://other'")]
    [InlineData("""{"$ref":"#/$defs/a"}""", "#/$ref: names nothing: '#/$defs/a'")]
    [InlineData("""{"$ref":"#","type":"object"}""", "#: keyword 'type' is not supported here")]
    [InlineData("""{"$ref":"#"}""", "no finite text can satisfy it")]
    [InlineData("""{"anyOf":[{"$ref":"#"},{"type":"null"}]}""", "a part of it refers to itself with no text before the reference")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""", "no finite text can satisfy it")]
    [InlineData("false", "no finite text can satisfy it")]
    [InlineData("""{"enum":[]}""", "#/enum: must have 1 to 1024 entries; had 0")]
    [InlineData("""{"enum":"a"}""", "#/enum: must be an array; was string")]
    [InlineData("""{"properties":[]}""", "#/properties: must be an object; was array")]
    [InlineData("""[]""", "#: must be a schema (an object, true or false); was array")]
    [InlineData("""{"allOf":[true,true]}""", "#/allOf: must have 1 to 1 entries; had 2")]
    [InlineData("""{"additionalProperties":false,"required":["a"]}""", "#: required names 'a', which is neither declared nor allowed as an additional property")]
    [InlineData(
        """{"oneOf":[{"type":"integer"},{"type":"number"}]}""",
        "#/oneOf: branches 0 and 1 might both be satisfied; use anyOf, or a required property with different const values")]
    [InlineData(
        """{"oneOf":[{"type":"null"},{"type":"object","properties":{"k":{"const":1}}},{"type":"object","properties":{"k":{"const":2}}}]}""",
        "#/oneOf: branches 1 and 2 might both be satisfied; use anyOf, or a required property with different const values")]
    public void Compile_ForWhatIsNotSupported_NamesThePlaceAndTheRule(string schema, string reason) =>
        Assert.Equal($"json_schema: {reason}", Vocabularies.Refusal(new ConstraintSpec.JsonSchema(schema)));

    [Theory]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("""{"type":"null","type":"null"}""")]
    [InlineData("""{"const":"\ud800"}""")]
    [InlineData("""{"properties":{"\udc00":true}}""")]
    public void Compile_ForWhatIsNoJsonText_IsRefused(string schema) => Assert.StartsWith(
        "json_schema: a schema must be well-formed JSON without repeated names, at most 64 deep: ",
        Vocabularies.Refusal(new ConstraintSpec.JsonSchema(schema)),
        StringComparison.Ordinal);

    [Fact]
    public void Compile_ForWhatIsTooLarge_IsRefused()
    {
        Assert.Equal(
            "json_schema: a schema must have at most 65536 characters; was 70002",
            Vocabularies.Refusal(new ConstraintSpec.JsonSchema($"\"{new string('a', 70_000)}\"")));
        Assert.Contains("64 deep", Vocabularies.Refusal(new ConstraintSpec.JsonSchema(new string('[', 100) + new string(']', 100))), StringComparison.Ordinal);
        var name = new string('n', 257);
        Assert.Equal(
            "json_schema: #: a property's name must have at most 256 characters; was 257",
            Vocabularies.Refusal(new ConstraintSpec.JsonSchema($$$"""{"properties":{"{{{name}}}":true}}""")));
        var many = string.Join(',', Enumerable.Range(0, 257).Select(index => $"\"p{index}\":true"));
        Assert.Equal(
            "json_schema: #/properties: must have at most 256 entries; had 257",
            Vocabularies.Refusal(new ConstraintSpec.JsonSchema($$$"""{"properties":{{{{many}}}}}""")));
    }
}
