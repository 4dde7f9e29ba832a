using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Worker.Serving;

/// <summary>The cluster's request in the engine's words.</summary>
internal static class EngineRequests
{
    /// <param name="room">Tokens of the context that the prompt leaves; an answer ends there at the latest.</param>
    public static EngineRequest Make(GenerateRequest request, ImmutableArray<PromptSegment> prompt, ReadOnlyMemory<byte> salt, int room)
    {
        var options = request.Options;
        return new EngineRequest
        {
            Id = request.TurnId.ToString("n"),
            Tenant = new EngineTenant(request.Tenant.Value, salt, request.Weight),
            Prompt = prompt,
            Sampling = new SamplingOptions
            {
                Temperature = options.Temperature,
                TopP = options.TopP,
                TopK = options.TopK,
                MinP = options.MinP,
                RepetitionPenalty = options.RepetitionPenalty,
                FrequencyPenalty = options.FrequencyPenalty,
                PresencePenalty = options.PresencePenalty,
                LogitBias = [.. options.LogitBias.Select(bias => new TokenBias(bias.Key, bias.Value))],
                Seed = unchecked((long)options.Seed),
                Logprobs = options.TopLogprobs is not null,
                TopLogprobs = options.TopLogprobs ?? 0,
                Choices = options.Choices,
                MaxTokens = Math.Min(options.MaxTokens, room),
                Stop = options.Stop,
                IgnoreEos = options.IgnoreEos,
            },
            Constraint = options.Constraint is { } constraint ? Constraint(constraint) : null,
            Adapter = request.Adapter is { } adapter ? ContentDigest.Parse(adapter.Value) : null,
            Priority = request.Priority switch
            {
                TurnPriority.Interactive => RequestPriority.Interactive,
                TurnPriority.Batch => RequestPriority.Background,
                _ => RequestPriority.Normal,
            },
            Deadline = request.Deadline,
            Emitted = [.. request.Journal.Select(tokens => (IReadOnlyList<int>)tokens)],
        };
    }

    private static ConstraintSpec Constraint(OutputConstraint constraint) => constraint switch
    {
        { Kind: ConstraintKind.Choice } => new ConstraintSpec.Choice(constraint.Texts),
        { Kind: ConstraintKind.Regex } => new ConstraintSpec.Pattern(constraint.Texts[0]),
        { Texts: [] or [""] } => new ConstraintSpec.JsonObject(),
        _ => new ConstraintSpec.JsonSchema(constraint.Texts[0]),
    };
}
