using Google.Protobuf.WellKnownTypes;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Failures;
using ProtoEvent = Llava.V1.TurnEvent;
using ProtoFinish = Llava.V1.FinishReason;
using ProtoLogprob = Llava.V1.TokenLogprob;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>From the cluster's records to the public contract.</summary>
internal static class ProtoWriting
{
    public static ProtoEvent Event(Abstractions.Chat.TurnEvent step)
    {
        var written = new ProtoEvent
        {
            Sequence = step.Sequence,
            Choice = step.Choice,
            Text = step.Text,
            Finish = Finish(step.Finish),
            Completed = step.Completed,
            Usage = Usage(step.Usage),
        };
        written.Logprobs.AddRange(step.Logprobs.Select(Logprob));
        return written;
    }

    public static ProtoFinish Finish(Abstractions.Chat.FinishReason? finish) => finish switch
    {
        null => ProtoFinish.Unspecified,
        Abstractions.Chat.FinishReason.Stop => ProtoFinish.Stop,
        Abstractions.Chat.FinishReason.Length => ProtoFinish.Length,
        Abstractions.Chat.FinishReason.Cancelled => ProtoFinish.Cancelled,
        _ => ProtoFinish.Failed,
    };

    public static Usage? Usage(TokenUsage? usage) => usage is null ? null : new Usage
    {
        PromptTokens = usage.PromptTokens,
        ImageTokens = usage.ImageTokens,
        CachedTokens = usage.CachedTokens,
        CompletionTokens = usage.CompletionTokens,
    };

    public static ProtoLogprob Logprob(Abstractions.Chat.TokenLogprob token)
    {
        var written = new ProtoLogprob { Token = token.Token, Text = token.Text, Logprob = token.Logprob };
        written.Alternatives.AddRange(token.Alternatives.Select(Logprob));
        return written;
    }

    public static Model Model(TenantModel model, TenantId tenant) => new()
    {
        Name = model.Name,
        ContextLength = model.Card.ContextLength,
        VocabSize = model.Card.VocabSize,
        MaxImageTokens = model.Card.MaxImageTokens,
        CreatedAt = Timestamp.FromDateTimeOffset(model.CreatedAt),
        Precision = model.Card.Precision,
        Parameters = model.Card.Parameters,
        OwnedBy = model.Owner(tenant),
    };

    /// <summary>The version of the adapter that answers a turn; empty for a base model.</summary>
    public static string Fingerprint(TurnRequest request) => request.Adapter?.Value ?? "";

    public static Turn Turn(TurnView view)
    {
        var turn = new Turn
        {
            TurnId = view.Request.TurnId.ToString(),
            ParentTurnId = view.Request.Parent?.ToString() ?? "",
            Model = view.Request.Model,
            BegunAt = Timestamp.FromDateTimeOffset(view.BegunAt),
            Completed = view.Completed,
            Usage = Usage(view.Usage),
            SystemFingerprint = Fingerprint(view.Request),
            Failure = view.Failure is { } failure ? ErrorWriter.DetailOf(failure) : null,
        };
        turn.Messages.AddRange(view.Request.Messages.Select(Message));
        turn.Answers.AddRange(view.Answers.Select(answer => new Answer { Text = answer.Text, Finish = Finish(answer.Finish) }));
        return turn;
    }

    private static Message Message(ChatMessage message)
    {
        var written = new Message
        {
            Role = message.Role switch
            {
                ChatRole.System => Role.System,
                ChatRole.User => Role.User,
                _ => Role.Assistant,
            },
        };
        written.Parts.AddRange(message.Parts.Select(part => part.Image is { } image ? new Part { ImageId = image.Value } : new Part { Text = part.Text }));
        return written;
    }
}
