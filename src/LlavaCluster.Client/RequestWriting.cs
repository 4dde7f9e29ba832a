using System.Globalization;
using Google.Protobuf;
using Llava.V1;
using Microsoft.Extensions.AI;

namespace LlavaCluster.Client;

/// <summary>From Microsoft.Extensions.AI's messages and options to the public contract. What the server cannot do is refused, not dropped.</summary>
internal static class RequestWriting
{
    private const string FilePrefix = "file-";

    public static GenerateRequest Write(IEnumerable<ChatMessage> messages, ChatOptions? options, string model)
    {
        var request = new GenerateRequest { Model = options?.ModelId ?? model, TurnId = Turn(options).ToString(), ResumeFrom = Extra<long>(options, LlavaProperties.ResumeFrom) ?? 0 };
        if (options?.Instructions is { Length: > 0 } instructions)
        {
            request.Messages.Add(new Message { Role = Role.System, Parts = { new Part { Text = instructions } } });
        }

        request.Messages.AddRange(messages.Select(Message));
        if (options is not null)
        {
            request.Options = Options(options);
        }

        return request;
    }

    private static Guid Turn(ChatOptions? options)
    {
        var given = Extra<Guid>(options, LlavaProperties.TurnId);
        return given ?? (Extra<long>(options, LlavaProperties.ResumeFrom) is null
            ? Guid.CreateVersion7()
            : throw new ArgumentException($"{LlavaProperties.ResumeFrom} needs the {LlavaProperties.TurnId} of the answer to resume.", nameof(options)));
    }

    private static Message Message(ChatMessage message)
    {
        var written = new Message { Role = RoleOf(message.Role) };
        foreach (var content in message.Contents)
        {
            switch (content)
            {
                case TextContent text:
                    written.Parts.Add(new Part { Text = text.Text });
                    break;
                case DataContent data when data.HasTopLevelMediaType("image"):
                    written.Parts.Add(new Part { Image = ByteString.CopyFrom(data.Data.Span) });
                    break;
                case UriContent uri when uri.HasTopLevelMediaType("image"):
                    written.Parts.Add(new Part { ImageUrl = uri.Uri.ToString() });
                    break;
                case HostedFileContent file:
                    written.Parts.Add(new Part { ImageId = file.FileId.StartsWith(FilePrefix, StringComparison.Ordinal) ? file.FileId[FilePrefix.Length..] : file.FileId });
                    break;
                case UsageContent:
                    break; // what an earlier answer cost is no part of the history
                default:
                    throw new NotSupportedException($"A message must hold text and images; held {content.GetType().Name}.");
            }
        }

        return written;
    }

    private static Role RoleOf(ChatRole role) => role.Value switch
    {
        "system" => Role.System,
        "user" => Role.User,
        "assistant" => Role.Assistant,
        _ => throw new NotSupportedException($"A message's role must be system, user or assistant; was {role.Value}."),
    };

    private static GenerationOptions Options(ChatOptions options)
    {
        if (options.Tools is { Count: > 0 })
        {
            throw new NotSupportedException("Tools are not supported.");
        }

        if (options.ConversationId is not null)
        {
            throw new NotSupportedException("ConversationId must be null: this client sends the history. LlavaConnection.Conversations has conversations that the server keeps.");
        }

        var written = new GenerationOptions();
        written.Stop.AddRange(options.StopSequences ?? []);
        Set(options.MaxOutputTokens, value => written.MaxTokens = value);
        Set(options.Temperature, value => written.Temperature = Exact(value));
        Set(options.TopP, value => written.TopP = Exact(value));
        Set(options.TopK, value => written.TopK = value);
        Set(options.FrequencyPenalty, value => written.FrequencyPenalty = Exact(value));
        Set(options.PresencePenalty, value => written.PresencePenalty = Exact(value));
        Set(options.Seed, value => written.Seed = value);
        Set(Extra<double>(options, LlavaProperties.MinP), value => written.MinP = value);
        Set(Extra<double>(options, LlavaProperties.RepetitionPenalty), value => written.RepetitionPenalty = value);
        Constrain(options, written);
        return written;
    }

    private static void Constrain(ChatOptions options, GenerationOptions written)
    {
        if (options.ResponseFormat is ChatResponseFormatJson json)
        {
            written.JsonSchema = json.Schema?.GetRawText() ?? "";
        }

        if (options.AdditionalProperties?.TryGetValue(LlavaProperties.Regex, out string? regex) == true)
        {
            written.Regex = regex;
        }

        if (options.AdditionalProperties?.TryGetValue(LlavaProperties.Choice, out IEnumerable<string>? choice) == true)
        {
            written.Choice = new ChoiceList { Texts = { choice } };
        }
    }

    private static void Set<T>(T? value, Action<T> set)
        where T : struct
    {
        if (value is { } given)
        {
            set(given);
        }
    }

    private static T? Extra<T>(ChatOptions? options, string name)
        where T : struct => options?.AdditionalProperties?.TryGetValue(name, out T value) == true ? value : null;

    // The decimal number the caller wrote, not the binary float next to it: 0.7f is 0.7, not 0.699999988.
    private static double Exact(float value) => double.Parse(value.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
