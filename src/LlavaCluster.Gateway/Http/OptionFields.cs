using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Http;

/// <summary>The sampling fields that chat completions and responses share, under OpenAI's and vLLM's names.</summary>
internal static class OptionFields
{
    public static RawOptions Read(JsonField body, string maxTokensField) => new()
    {
        MaxTokens = body.Whole(maxTokensField),
        MaxTokensField = maxTokensField,
        Temperature = body.Number("temperature"),
        TopP = body.Number("top_p"),
        TopK = body.Whole("top_k"),
        MinP = body.Number("min_p"),
        RepetitionPenalty = body.Number("repetition_penalty"),
        FrequencyPenalty = body.Number("frequency_penalty"),
        PresencePenalty = body.Number("presence_penalty"),
        Seed = body.Whole("seed"),
        Stop = Stops(body),
        LogitBias = Biases(body),
        TopLogprobs = body.Whole("top_logprobs"),
        Choices = body.Whole("n"),
        Constraints = Guided(body),
    };

    /// <summary>A <c>response_format</c> or <c>text.format</c>; the schema is at <paramref name="schemaHolder"/> in the one and flat in the other.</summary>
    public static RawConstraint? Format(JsonField format, string? schemaHolder)
    {
        switch (format.Text("type"))
        {
            case null or "text":
                return null;
            case "json_object":
                return new RawConstraint(format.Path, ConstraintKind.JsonSchema, [""]);
            case "json_schema":
                var holder = format;
                if (schemaHolder is not null && !format.TryObject(schemaHolder, out holder))
                {
                    format.Fail($"must hold {schemaHolder} when its type is json_schema.");
                    return null;
                }

                if (!holder.TryObject("schema", out var schema))
                {
                    holder.Fail("must hold schema, an object.");
                    return null;
                }

                return schema.AsJson() is { } json ? new RawConstraint(schema.Path, ConstraintKind.JsonSchema, [json]) : null;
            default:
                format.Fail("must have type text, json_object or json_schema.");
                return null;
        }
    }

    /// <summary>Fields that would change what the answer is, and that this server cannot honour. Empty or at their defaults they say nothing.</summary>
    public static void RefuseUnable(JsonField body)
    {
        foreach (var name in (ReadOnlySpan<string>)["tools", "functions"])
        {
            if (body.Items(name) is { Length: > 0 } tools)
            {
                body.Fail(name, $"must be empty: no served model calls tools; held {tools.Length}.");
            }
        }

        if (Texts(body, "modalities").FirstOrDefault(modality => modality != "text") is { } other)
        {
            body.Fail("modalities", $"must hold only text; held \"{Excerpt.Of(other, 20)}\".");
        }
    }

    private static ImmutableArray<string> Stops(JsonField body)
    {
        if (!body.TryGet("stop", out var stop))
        {
            return [];
        }

        if (stop.Kind == JsonValueKind.String)
        {
            return stop.AsText() is { } text ? [text] : [];
        }

        return Texts(body, "stop");
    }

    private static ImmutableArray<string> Texts(JsonField body, string name)
    {
        var texts = ImmutableArray.CreateBuilder<string>();
        foreach (var item in body.Items(name))
        {
            if (item.AsText() is { } text)
            {
                texts.Add(text);
            }
        }

        return texts.ToImmutable();
    }

    private static ImmutableArray<KeyValuePair<string, double>> Biases(JsonField body)
    {
        if (!body.TryObject("logit_bias", out var biases))
        {
            return [];
        }

        var read = ImmutableArray.CreateBuilder<KeyValuePair<string, double>>();
        foreach (var (name, value) in biases.Properties())
        {
            if (value.AsNumber() is { } bias)
            {
                read.Add(new(name, bias));
            }
        }

        return read.ToImmutable();
    }

    private static ImmutableArray<RawConstraint> Guided(JsonField body)
    {
        var constraints = ImmutableArray.CreateBuilder<RawConstraint>();
        if (body.Text("guided_regex") is { } regex)
        {
            constraints.Add(new RawConstraint("guided_regex", ConstraintKind.Regex, [regex]));
        }

        if (body.Has("guided_choice"))
        {
            constraints.Add(new RawConstraint("guided_choice", ConstraintKind.Choice, Texts(body, "guided_choice")));
        }

        return constraints.ToImmutable();
    }
}
