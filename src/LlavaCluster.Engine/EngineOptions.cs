using LlavaCluster.Model.Kernels.Products;

namespace LlavaCluster.Engine;

/// <summary>Limits and weights of one engine. <see cref="Validate"/> names the first that does not hold.</summary>
public sealed class EngineOptions
{
    /// <summary>Tokens of one KV block; prefixes are shared in whole blocks. Default 16.</summary>
    public int BlockSize { get; set; } = 16;

    /// <summary>KV blocks in the pool. Default 2048 (32768 tokens).</summary>
    public int KvBlocks { get; set; } = 2048;

    /// <summary>Tokens one step computes at most, over all sequences. Default 512.</summary>
    public int MaxTokensPerStep { get; set; } = 512;

    /// <summary>Sequences that run at the same time. Default 64.</summary>
    public int MaxRunningSequences { get; set; } = 64;

    /// <summary>
    /// Tokens that a sequence guesses ahead at most, from how its text went on before, to be confirmed or dropped in the same step. Answers do not change: our kernels compute the
    /// same whatever else is in the step, libtorch's up to rounding. How many it does guess follows from what steps of this engine take. 0 for none. Default 8.
    /// </summary>
    public int MaxGuessedTokens { get; set; } = 8;

    /// <summary>
    /// A step that answers may take so many times what it takes while as many answer as do now, or as wait, and nothing else is computed, prompts and images beside it included, so that readers
    /// of running answers notice a burst of new requests only so much. Above 1; infinity favours new requests. Default 2.5.
    /// </summary>
    public double MaxStepSlowdown { get; set; } = 2.5;

    /// <summary>Image tokens one step encodes at most; a larger image is encoded alone. Default 1152 (two images of LLaVA-1.5).</summary>
    public int MaxImageTokensPerStep { get; set; } = 1152;

    /// <summary>Image tokens whose features stay on the device. Default 18432 (32 images of LLaVA-1.5).</summary>
    public int ImageCacheTokens { get; set; } = 18432;

    /// <summary>Bytes of the LoRA adapters that stay on the device; 0 for none. Default 256 MiB.</summary>
    public long AdapterBytes { get; set; } = 256L << 20;

    /// <summary>Images whose pixels are decoded at the same time for this engine. Default 4.</summary>
    public int MaxImageLoads { get; set; } = 4;

    /// <summary>
    /// Loading one image's pixels is asked to stop after this long; once it does, the requests that need the image fail. A loader that does not heed its token, as while a file
    /// is decoded, is waited for. Default 30 s.
    /// </summary>
    public TimeSpan ImageLoadTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Choices that may wait before requests are rejected. Default 256.</summary>
    public int MaxWaitingSequences { get; set; } = 256;

    /// <summary>Prompt tokens that may wait before requests are rejected. Default 262144.</summary>
    public int MaxWaitingTokens { get; set; } = 262144;

    /// <summary>Share of the KV blocks that admission leaves free for running sequences to grow into. Default 0.01.</summary>
    public double ReservedShare { get; set; } = 0.01;

    /// <summary>After waiting this long a sequence moves up one priority class. Default 30 s.</summary>
    public TimeSpan PriorityAging { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Cost of a generated token, in prompt tokens, for fairness between tenants. Default 2.</summary>
    public double DecodeTokenCost { get; set; } = 2;

    /// <summary>Work of encoding one image token, in prompt tokens: for fairness between tenants, and for what fits a step. Default 1.</summary>
    public double ImageTokenCost { get; set; } = 1;

    /// <summary>A step that takes longer makes the engine <see cref="EngineHealth.Hung"/>. Default 30 s.</summary>
    public TimeSpan StepTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Token updates that wait for a reader before its sequences pause. Default 256.</summary>
    public int UpdateBuffer { get; set; } = 256;

    /// <summary>A request whose updates were not read for this long is aborted. Default 10 s.</summary>
    public TimeSpan UnreadTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>What to make of the language model's matrices; null leaves them as they are. Default null.</summary>
    public WeightFormat? Weights { get; set; }

    /// <summary>Whether a request may mark a prefix and its images as public, to be shared between tenants. Default false.</summary>
    public bool AllowPublicScope { get; set; }

    /// <summary>The rule that is broken, with the field, the bound and the value; null where all hold.</summary>
    public string? Validate()
    {
        foreach (var (name, value, least) in new[]
        {
            (nameof(BlockSize), BlockSize, 1), (nameof(KvBlocks), KvBlocks, 1), (nameof(MaxRunningSequences), MaxRunningSequences, 1),
            (nameof(MaxTokensPerStep), MaxTokensPerStep, MaxRunningSequences + 1), (nameof(MaxImageTokensPerStep), MaxImageTokensPerStep, 1),
            (nameof(ImageCacheTokens), ImageCacheTokens, 1), (nameof(MaxGuessedTokens), MaxGuessedTokens, 0), (nameof(MaxImageLoads), MaxImageLoads, 1), (nameof(UpdateBuffer), UpdateBuffer, 1),
            (nameof(MaxWaitingSequences), MaxWaitingSequences, 1), (nameof(MaxWaitingTokens), MaxWaitingTokens, 1),
        })
        {
            if (value < least)
            {
                return $"{name} must be >= {least}; was {value}.";
            }
        }

        if (AdapterBytes < 0)
        {
            return $"{nameof(AdapterBytes)} must be >= 0; was {AdapterBytes}.";
        }

        if (!(MaxStepSlowdown > 1))
        {
            return $"{nameof(MaxStepSlowdown)} must be > 1; was {MaxStepSlowdown}.";
        }

        foreach (var (name, value, most) in new[]
        {
            (nameof(ReservedShare), ReservedShare, 0.5), (nameof(DecodeTokenCost), DecodeTokenCost, 1e6), (nameof(ImageTokenCost), ImageTokenCost, 1e6),
        })
        {
            if (!(value >= 0 && value <= most))
            {
                return $"{name} must be from 0 to {most}; was {value}.";
            }
        }

        foreach (var (name, value) in new[]
        {
            (nameof(PriorityAging), PriorityAging), (nameof(StepTimeout), StepTimeout), (nameof(UnreadTimeout), UnreadTimeout), (nameof(ImageLoadTimeout), ImageLoadTimeout),
        })
        {
            if (value <= TimeSpan.Zero)
            {
                return $"{name} must be > 0; was {value}.";
            }
        }

        return null;
    }

    internal int ReservedBlocks(int total) => (int)(total * ReservedShare);
}
