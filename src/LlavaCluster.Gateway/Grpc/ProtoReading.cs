using System.Collections.Immutable;
using Google.Protobuf.Collections;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Requests;
using ProtoOptions = Llava.V1.GenerationOptions;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>From the public contract to the raw request that both protocols share.</summary>
internal static class ProtoReading
{
    public static RawChatRequest Chat(string model, RepeatedField<Message> messages, ProtoOptions? options, bool continues, FieldChecks checks) => new()
    {
        Model = model,
        Messages = Messages(messages, checks),
        Options = options is null ? new RawOptions() : Options(options),
        Continues = continues,
    };

    /// <summary>A UUID a client chose; null where it is empty, a failed check where it is something else.</summary>
    public static Guid? Turn(string text, string field, FieldChecks checks)
    {
        if (text.Length == 0)
        {
            return null;
        }

        if (!Guid.TryParse(text, out var turn) || turn == Guid.Empty)
        {
            checks.Fail(field, "must be a UUID other than the nil one.");
        }

        return turn;
    }

    private static ImmutableArray<RawMessage> Messages(RepeatedField<Message> messages, FieldChecks checks)
    {
        var read = ImmutableArray.CreateBuilder<RawMessage>(messages.Count);
        foreach (var message in messages)
        {
            var path = $"messages[{read.Count}]";
            var role = message.Role switch
            {
                Role.System => ChatRole.System,
                Role.Assistant => ChatRole.Assistant,
                _ => ChatRole.User,
            };
            if (message.Role is not (Role.System or Role.User or Role.Assistant))
            {
                checks.Fail($"{path}.role", "must be ROLE_SYSTEM, ROLE_USER or ROLE_ASSISTANT.");
            }

            read.Add(new RawMessage(path, role, Parts(message.Parts, path, checks)));
        }

        return read.DrainToImmutable();
    }

    private static ImmutableArray<RawPart> Parts(RepeatedField<Part> parts, string path, FieldChecks checks)
    {
        var read = ImmutableArray.CreateBuilder<RawPart>(parts.Count);
        foreach (var part in parts)
        {
            var field = $"{path}.parts[{read.Count}]";
            switch (part.ContentCase)
            {
                case Part.ContentOneofCase.Text:
                    read.Add(new RawPart($"{field}.text") { Text = part.Text });
                    break;
                case Part.ContentOneofCase.Image:
                    read.Add(new RawPart($"{field}.image") { Image = part.Image.Memory });
                    break;
                case Part.ContentOneofCase.ImageId:
                    read.Add(new RawPart($"{field}.image_id") { ImageId = part.ImageId });
                    break;
                case Part.ContentOneofCase.ImageUrl:
                    read.Add(new RawPart($"{field}.image_url") { ImageUrl = part.ImageUrl });
                    break;
                default:
                    checks.Fail(field, "must hold text, image, image_id or image_url.");
                    return [];
            }
        }

        return read.DrainToImmutable();
    }

    private static RawOptions Options(ProtoOptions options) => new()
    {
        MaxTokens = options.HasMaxTokens ? options.MaxTokens : null,
        Temperature = options.HasTemperature ? options.Temperature : null,
        TopP = options.HasTopP ? options.TopP : null,
        TopK = options.HasTopK ? options.TopK : null,
        MinP = options.HasMinP ? options.MinP : null,
        RepetitionPenalty = options.HasRepetitionPenalty ? options.RepetitionPenalty : null,
        FrequencyPenalty = options.HasFrequencyPenalty ? options.FrequencyPenalty : null,
        PresencePenalty = options.HasPresencePenalty ? options.PresencePenalty : null,
        Seed = options.HasSeed ? options.Seed : null,
        Stop = [.. options.Stop],
        LogitBias = [.. options.LogitBias.Select(bias => new KeyValuePair<string, double>($"{bias.Key}", bias.Value))],
        Logprobs = options.HasTopLogprobs,
        TopLogprobs = options.HasTopLogprobs ? options.TopLogprobs : null,
        Choices = options.HasChoices ? options.Choices : null,
        ChoicesField = "choices",
        Constraints = Constraint(options),
    };

    private static ImmutableArray<RawConstraint> Constraint(ProtoOptions options) => options.ConstraintCase switch
    {
        ProtoOptions.ConstraintOneofCase.JsonSchema => [new RawConstraint("json_schema", ConstraintKind.JsonSchema, [options.JsonSchema])],
        ProtoOptions.ConstraintOneofCase.Regex => [new RawConstraint("regex", ConstraintKind.Regex, [options.Regex])],
        ProtoOptions.ConstraintOneofCase.Choice => [new RawConstraint("choice", ConstraintKind.Choice, [.. options.Choice.Texts])],
        _ => [],
    };
}
