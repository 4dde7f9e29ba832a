using System.Text;
using CsCheck;

namespace LlavaCluster.Gateway.Tests.Requests;

/// <summary>JSON as nobody should write it and somebody will: every kind of value, numbers beyond any type, texts that are no Unicode. As bytes, since not all of it is UTF-8.</summary>
internal static class JsonText
{
    private static readonly Gen<string> Numbers = OneOf(
        "0", "-0", "1", "-1", "1.5", "-1e3", "1e3", "2147483648", "-9223372036854775808", "9223372036854775807", "18446744073709551616", "1e400", "-1e400", "1e-400", "0.1e-7", "99999999999999999999999999999999999999");

    private static readonly Gen<string> Texts = OneOf(
        "", "text", "user", "assistant", "system", "llava-test", "llava-test:none", "json_schema", "json_object", "image_url", "data:image/png;base64,AAAA", "data:,", "https://example.com/a.png", "<image>", "</s>",
        "\\ud800", "\\udc00\\ud800", "\\ud83d\\ude00", "\\u0000", "\u00ff\u00fe", "((", "[", "\\\\", "-1", "5", "99999999999999999999", "a,b", "resp_x", "conv_x",
        new string('x', 300), new string('x', 19) + "\\ud83d\\ude00" + new string('y', 300));

    private static readonly Gen<string> Names = Gen.OneOf(Texts, OneOf(
        "type", "text", "role", "content", "image_url", "url", "schema", "json_schema", "include_usage", "id", "format", "5", "1023", "-1"));

    /// <summary>A value up to three levels deep.</summary>
    public static Gen<string> Any { get; } = Value(3);

    public static Gen<string> OneOf(params string[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    /// <summary>The bytes of a body: U+00FF and U+00FE stand for those very bytes, which no UTF-8 has.</summary>
    public static byte[] Bytes(string json) => Encoding.Latin1.GetBytes(json);

    private static Gen<string> Value(int levels)
    {
        var leaf = Gen.OneOf(Numbers, Texts.Select(text => $"\"{text}\""), OneOf("null", "true", "false", "[]", "{}"));
        if (levels == 0)
        {
            return leaf;
        }

        var inner = Value(levels - 1);
        return Gen.OneOf(
            leaf,
            inner.Array[0, 3].Select(items => $"[{string.Join(',', items)}]"),
            Gen.Select(Names, inner, (name, value) => $"\"{name}\":{value}").Array[0, 3].Select(fields => $"{{{string.Join(',', fields)}}}"));
    }
}
