using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Streams;

/// <summary>
/// An engine without a model, whose tokens cost nothing: every request gets its tokens at a steady rate, each saying when it was given out (<see cref="TokenStamp"/>).
/// What a client waits beyond that is the cluster's own. Thread-safe; one choice a request.
/// </summary>
/// <param name="tokensPerSecond">Of each request.</param>
/// <param name="clock">Also the client's.</param>
internal sealed class PacedEngine(double tokensPerSecond, LoadClock clock) : IEngineHost
{
    public const string ModelName = "paced";
    private const int Vocabulary = 32_000;

    private readonly TimeSpan _interval = TimeSpan.FromSeconds(1 / tokensPerSecond);

    public ImmutableArray<ModelCard> Models { get; } =
    [
        new ModelCard { Name = ModelName, ContextLength = 1 << 20, VocabSize = Vocabulary, MaxImageTokens = 1, CreatedAt = DateTimeOffset.UnixEpoch },
    ];

    public EngineStatus Status => new(Ready: true, Waiting: 0);

    public Task<ChatFailure?> CheckAdapterAsync(TenantId tenant, ObjectId adapter, CancellationToken cancellationToken) => Task.FromResult<ChatFailure?>(null);

    public Task<ErasedCaches?> EraseAsync(TenantId tenant, CancellationToken cancellationToken) => Task.FromResult<ErasedCaches?>(default(ErasedCaches)); // it keeps nothing

    public async IAsyncEnumerable<GenerateUpdate> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new GenerateUpdate { Usage = new TokenUsage(1, 0, 0, 0) };
        var (began, first) = (clock.Now, request.Journal[0].Length);
        for (var position = first; position < request.Options.MaxTokens; position++)
        {
            if (began + ((position - first) * _interval) - clock.Now is var pause && pause > TimeSpan.Zero)
            {
                await Task.Delay(pause, cancellationToken);
            }

            yield return new GenerateUpdate { Token = position % Vocabulary, Text = TokenStamp.Write(clock.Now), Finish = position == request.Options.MaxTokens - 1 ? FinishReason.Length : null };
        }

        yield return new GenerateUpdate { Completed = true, Usage = new TokenUsage(1, 0, 0, request.Options.MaxTokens) };
    }
}
