using System.Collections.Immutable;
using CsCheck;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Storage.Tests;

/// <summary>Records for tests, made by hand and at random.</summary>
internal static class Records
{
    private static readonly Gen<string> Text = Gen.String[0, 20];
    private static readonly Gen<DateTimeOffset> Time = Gen.Long[0, DateTime.MaxValue.Ticks].Select(ticks => new DateTimeOffset(ticks, TimeSpan.Zero));
    private static readonly Gen<TokenUsage> Usage = Gen.Select(Gen.Int[0, 9999], Gen.Int[0, 999], Gen.Int[0, 99], Gen.Int[0, 9]).Select((a, b, c, d) => new TokenUsage(a, b, c, d));

    private static readonly Gen<MessagePart> Part = Gen.OneOf(
        Text.Select(MessagePart.OfText),
        Gen.Byte.Array[1, 9].Select(bytes => MessagePart.OfImage(ImageId.Of(bytes))));

    private static readonly Gen<TokenLogprob> Logprob = Gen.Select(Gen.Int[0, 1 << 20], Text, Gen.Float)
        .Select((token, text, value) => new TokenLogprob(token, text, value, [new TokenLogprob(1, "alternative", -1, [])]));

    private static readonly Gen<Emission> Emission = Gen.Select(Gen.Int[0, 8], Gen.Int[-1, 1 << 20], Text, Logprob, Gen.Int[-1, 3])
        .Select((choice, token, text, logprob, finish) =>
            new Emission(choice, token, text, token % 2 == 0 ? logprob : null, finish < 0 ? null : (FinishReason)finish));

    private static readonly Gen<GenerationOptions> Options = Gen.Select(Gen.Int[1, 4096], Gen.Double, Gen.ULong, Text.Array[0, 3], Gen.Int[-1, 20])
        .Select((tokens, temperature, seed, stop, top) => new GenerationOptions
        {
            MaxTokens = tokens,
            Temperature = temperature,
            Seed = seed,
            Stop = [.. stop],
            TopLogprobs = top < 0 ? null : top,
            LogitBias = ImmutableDictionary<int, float>.Empty.Add(tokens, 1.5f),
            Constraint = tokens % 2 == 0 ? new OutputConstraint(ConstraintKind.Choice, ["yes", "no"]) : null,
        });

    private static readonly Gen<TurnRequest> Request = Gen.Select(Gen.Guid, Gen.Guid, Part.Array[0, 3], Options, Time, Gen.Bool)
        .Select((turn, parent, parts, options, deadline, flag) => new TurnRequest
        {
            TurnId = turn,
            Parent = flag ? parent : null,
            Messages = [new ChatMessage(ChatRole.User, [.. parts])],
            Options = options,
            Model = "model",
            AffinityKey = "key",
            Priority = TurnPriority.Interactive,
            Deadline = flag ? null : deadline,
            WorstCaseTokens = options.MaxTokens,
            Transient = flag,
            ClientOwned = flag && parts.Length == 0,
        });

    public static Gen<LogRecord> Any { get; } = Gen.OneOf<LogRecord>(
        Time.Select(at => (LogRecord)new ConversationCreated(at)),
        Gen.Select(Request, Time, Gen.Double).Select((request, at, weight) => (LogRecord)new TurnBegun(request, at, weight)),
        Gen.Select(Gen.Guid, Usage).Select((turn, usage) => (LogRecord)new PromptCounted(turn, usage)),
        Gen.Select(Gen.Guid, Emission.Array[0, 9]).Select((turn, emissions) => (LogRecord)new TokensEmitted(turn, [.. emissions])),
        Gen.Select(Gen.Guid, Time, Usage, Text, Gen.Bool).Select((turn, at, usage, text, flag) =>
            (LogRecord)new TurnCompleted(turn, at, flag ? usage : null, flag ? null : new ChatFailure(ChatFailureKind.Internal, text, text, TimeSpan.FromTicks(text.Length)))),
        Gen.Guid.Select(turn => (LogRecord)new TurnSettled(turn)));

    public static TurnBegun Begun(Guid turn) => new(
        new TurnRequest
        {
            TurnId = turn,
            Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfText("question")])],
            Options = new GenerationOptions { MaxTokens = 8, Seed = 1 },
            Model = "model",
            AffinityKey = "key",
            WorstCaseTokens = 10,
        },
        DateTimeOffset.UnixEpoch,
        1);

    public static TokensEmitted Said(Guid turn, string text) => new(turn, [new Emission(0, 1, text, null, null)]);
}
