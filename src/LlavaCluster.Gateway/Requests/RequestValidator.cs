using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Images;

namespace LlavaCluster.Gateway.Requests;

/// <summary>
/// Turns what a client sent, by either protocol, into a <see cref="ValidChatRequest"/> or the first rule it breaks. Everything that costs nothing is
/// checked before the first picture is read, and nothing is stored for a request that is refused by then.
/// </summary>
internal sealed class RequestValidator(IModelCatalog models, ChatLimits limits, ImageLimits imageLimits, ImageIntake images)
{
    /// <summary>No tokenizer in use has a longer token, in UTF-8 bytes: SentencePiece caps pieces at 16 characters, and runs of spaces at 48 bytes.</summary>
    private const int MostBytesPerToken = 64;

    /// <summary>Role words and separators of a chat template, in tokens a message, rounded up.</summary>
    private const int TemplateTokensPerMessage = 16;

    private readonly OptionsValidator _options = new(limits);

    public async Task<Outcome<ValidChatRequest>> ValidateAsync(TenantId tenant, RawChatRequest raw, FieldChecks checks, CancellationToken cancellationToken)
    {
        if (checks.Failure is not null || !checks.Required(raw.Model, "model"))
        {
            return checks.Failure!;
        }

        checks.WellFormed("model", raw.Model);
        checks.Length("model", raw.Model, 256);
        if (checks.Failure is not null || models.Find(raw.Model) is not { } card)
        {
            return checks.Failure ?? new ChatFailure(ChatFailureKind.ModelNotFound, $"model must be one of those in /v1/models; was \"{raw.Model}\".", "model");
        }

        var options = _options.Validate(raw.Options, card, checks);
        CheckMessages(raw, checks);
        CheckLength(raw, card, checks);
        if (checks.Failure is not null)
        {
            return checks.Failure;
        }

        var stored = await StoreImagesAsync(tenant, raw, cancellationToken);
        if (stored.IsFailure(out var failure, out var messages))
        {
            return failure;
        }

        return new ValidChatRequest
        {
            ModelName = raw.Model,
            Card = card,
            Messages = [.. messages],
            Options = options,
            WorstCaseTokens = WorstCase(raw, options, card),
            AffinityKey = Requests.AffinityKey.Of(tenant, raw.Model, [.. messages]),
        };
    }

    private void CheckMessages(RawChatRequest raw, FieldChecks checks)
    {
        checks.Count(raw.MessagesField, raw.Messages.Length, limits.MaxMessages, "messages");
        if (raw.Messages.IsEmpty)
        {
            checks.Fail(raw.MessagesField, "must hold at least one message.");
            return;
        }

        var pictures = 0;
        for (var i = 0; i < raw.Messages.Length; i++)
        {
            var message = raw.Messages[i];
            CheckRole(raw, i, checks);
            // An answer may have been empty, and clients resend what was answered.
            if (message.Role != ChatRole.Assistant && !message.Parts.Any(part => part.Text is not { Length: 0 }))
            {
                checks.Fail($"{message.Field}.content", "must not be empty.");
            }

            foreach (var part in message.Parts)
            {
                if (part.Text is { } text)
                {
                    checks.WellFormed(part.Field, text);
                    continue;
                }

                pictures++;
                if (message.Role != ChatRole.User)
                {
                    checks.Fail(part.Field, $"must be in a user message; was in a {Name(message.Role)} message.");
                }
            }
        }

        checks.Count(raw.MessagesField, pictures, limits.MaxImages, "pictures");
        if (raw.Messages[^1].Role != ChatRole.User)
        {
            checks.Fail($"{raw.Messages[^1].Field}.role", $"must be user in the last message; was {Name(raw.Messages[^1].Role)}.");
        }
    }

    private static void CheckRole(RawChatRequest raw, int index, FieldChecks checks)
    {
        var message = raw.Messages[index];
        var before = raw.Messages.AsSpan(0, index);
        var leads = !raw.Continues && AllSystem(before);
        if (message.Role == ChatRole.System && !leads)
        {
            checks.Fail($"{message.Field}.role", raw.Continues ? "must be user: a system message belongs to a conversation's first turn." : "must not be system after another role.");
        }

        if (message.Role == ChatRole.Assistant && AllSystem(before))
        {
            checks.Fail($"{message.Field}.role", "must be user in the first message after the system's; was assistant.");
        }
    }

    private static bool AllSystem(ReadOnlySpan<RawMessage> messages)
    {
        foreach (var message in messages)
        {
            if (message.Role != ChatRole.System)
            {
                return false;
            }
        }

        return true;
    }

    private static void CheckLength(RawChatRequest raw, ModelCard card, FieldChecks checks)
    {
        var least = TextBytes(raw) / MostBytesPerToken;
        if (least >= card.ContextLength)
        {
            checks.Fail(
                raw.MessagesField,
                string.Create(CultureInfo.InvariantCulture, $"must leave room for an answer within the model's context of {card.ContextLength} tokens; they are at least {least} tokens."),
                ChatFailureKind.ContextExceeded);
        }
    }

    /// <summary>A byte is at most one token (byte fallback); a picture at most the card's bound; nothing is longer than the context.</summary>
    private static int WorstCase(RawChatRequest raw, GenerationOptions options, ModelCard card)
    {
        var pictures = raw.Messages.Sum(message => message.Parts.Count(part => part.Text is null));
        var prompt = TextBytes(raw) + ((long)pictures * card.MaxImageTokens) + ((long)raw.Messages.Length * TemplateTokensPerMessage);
        return (int)(Math.Min(prompt, card.ContextLength) + ((long)options.MaxTokens * options.Choices));
    }

    private static long TextBytes(RawChatRequest raw) =>
        raw.Messages.Sum(message => message.Parts.Sum(part => part.Text is { } text ? (long)Encoding.UTF8.GetByteCount(text) : 0));

    private async Task<Outcome<List<ChatMessage>>> StoreImagesAsync(TenantId tenant, RawChatRequest raw, CancellationToken cancellationToken)
    {
        var messages = new List<ChatMessage>(raw.Messages.Length);
        long pixels = 0;
        foreach (var message in raw.Messages)
        {
            var parts = ImmutableArray.CreateBuilder<MessagePart>(message.Parts.Length);
            foreach (var part in message.Parts)
            {
                if (part.Text is { } text)
                {
                    parts.Add(MessagePart.OfText(text));
                    continue;
                }

                var taken = await images.TakeAsync(tenant, part, cancellationToken);
                if (taken.IsFailure(out var failure, out var picture))
                {
                    return failure;
                }

                pixels += picture.Header.Pixels;
                if (pixels > imageLimits.MaxPixelsPerRequest)
                {
                    return new ChatFailure(
                        ChatFailureKind.InvalidRequest,
                        string.Create(CultureInfo.InvariantCulture, $"{raw.MessagesField} must hold pictures of at most {imageLimits.MaxPixelsPerRequest} pixels together; was {pixels} up to {part.Field}."),
                        raw.MessagesField);
                }

                parts.Add(MessagePart.OfImage(picture.Id));
            }

            messages.Add(new ChatMessage(message.Role, parts.DrainToImmutable()));
        }

        return messages;
    }

    private static string Name(ChatRole role) => role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        _ => "assistant",
    };
}
