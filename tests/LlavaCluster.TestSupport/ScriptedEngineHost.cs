using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.TestSupport;

/// <summary>
/// An engine without a model. Each token is a hash of the messages, the seed, the choice, its position and the token before it, so an answer goes on
/// rightly only from the right journal. Every third token holds its text back to the next one, as half a character would be.
/// </summary>
public sealed class ScriptedEngineHost : IEngineHost
{
    public const string ModelName = "scripted";

    public ImmutableArray<ModelCard> Models { get; init; } =
    [
        new ModelCard { Name = ModelName, ContextLength = 4096, VocabSize = 1000, MaxImageTokens = 16, CreatedAt = DateTimeOffset.UnixEpoch },
    ];

    public EngineStatus Status { get; set; } = new(Ready: true, Waiting: 0);

    /// <summary>Tokens of a prompt that a request says at its end to have found cached.</summary>
    public int CachedTokens { get; set; }

    /// <summary>Awaited before the token at a position (from 0) of a choice is drawn; a test's gate, or its fault.</summary>
    public Func<int, CancellationToken, Task> BeforeToken { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Ends every request at once if set.</summary>
    public ChatFailure? Refusal { get; set; }

    /// <summary>What an erasure is told; null: to ask again.</summary>
    public ErasedCaches? Erased { get; set; } = new(0, 0, 0);

    public Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken) => Task.FromResult<ChatFailure?>(null);

    public Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken) => Task.FromResult(Erased);

    public async IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (Refusal is { } refusal)
        {
            yield return new GenerateUpdate { Completed = true, Failure = refusal };
            yield break;
        }

        var prompt = request.Messages.Sum(message => message.Parts.Sum(part => part.Text?.Length ?? 16));
        yield return new GenerateUpdate { Usage = new TokenUsage(prompt, 0, 0, 0) };
        var drawn = request.Journal.Select(tokens => tokens.ToList()).ToArray();
        for (var position = drawn.Min(tokens => tokens.Count); position < request.Options.MaxTokens; position++)
        {
            await BeforeToken(position, cancellationToken);
            for (var choice = 0; choice < drawn.Length; choice++)
            {
                if (drawn[choice].Count == position)
                {
                    yield return Next(request, choice, drawn[choice]);
                }
            }
        }

        yield return new GenerateUpdate { Completed = true, Usage = new TokenUsage(prompt, 0, CachedTokens, drawn.Sum(tokens => tokens.Count)) };
    }

    /// <summary>The text of one choice when nothing goes wrong.</summary>
    public static string Expected(ImmutableArray<ChatMessage> messages, GenerationOptions options, int choice)
    {
        var request = new GenerateRequest { Tenant = default, TurnId = default, Model = ModelName, Messages = messages, Options = options, Journal = [] };
        List<int> drawn = [];
        return string.Concat(Enumerable.Range(0, options.MaxTokens).Select(_ => Next(request, choice, drawn).Text));
    }

    private static GenerateUpdate Next(GenerateRequest request, int choice, List<int> drawn)
    {
        var position = drawn.Count;
        drawn.Add(Draw(request, choice, position, position == 0 ? -1 : drawn[^1]));
        var last = position == request.Options.MaxTokens - 1;
        var text = IsHeldBack(position) && !last ? "" : Word(drawn[position]);
        if (position > 0 && IsHeldBack(position - 1))
        {
            text = Word(drawn[position - 1]) + text;
        }

        return new GenerateUpdate
        {
            Choice = choice,
            Token = drawn[position],
            Text = text,
            Logprob = request.Options.TopLogprobs is null ? null : new TokenLogprob(drawn[position], text, -drawn[position] / 100f, []),
            Finish = last ? FinishReason.Length : null,
        };
    }

    private static bool IsHeldBack(int position) => position % 3 == 2;

    private static string Word(int token) => $"w{token}é ";

    private static int Draw(GenerateRequest request, int choice, int position, int before)
    {
        var text = string.Join('|', request.Messages.SelectMany(message => message.Parts.Select(part => $"{message.Role}:{part.Text ?? part.Image?.Value}")));
        var seed = request.Options.Temperature > 0 ? request.Options.Seed : 0;
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{text}|{seed}|{choice}|{position}|{before}"));
        return BitConverter.ToUInt16(hash) % 1000;
    }
}
