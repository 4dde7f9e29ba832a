using LlavaCluster.Model.Vision;

namespace LlavaCluster.Engine;

/// <summary>One picture of a prompt. Its pixels are asked for only when its features are not cached, and may be asked for again after they were evicted.</summary>
public sealed record PromptImage
{
    /// <summary>Names the picture's bytes.</summary>
    public required ContentDigest Digest { get; init; }

    /// <summary>Names how bytes become pixels: mode, sizes, mean and deviation, version of the code.</summary>
    public required ContentDigest Preprocessing { get; init; }

    public required TileLayout Layout { get; init; }

    /// <summary>Prompt positions it fills; the layout's token count.</summary>
    public required int Tokens { get; init; }

    /// <summary>Gives normalised pixels, [tiles, 3, size, size] in order. Runs off the device thread; several may run at once.</summary>
    /// <exception cref="ImageRefusedException">The picture cannot be decoded.</exception>
    public required Func<CancellationToken, ValueTask<float[]>> LoadPixels { get; init; }

    /// <summary>Its features may be shared between tenants, where <see cref="EngineOptions.AllowPublicScope"/> says so.</summary>
    public bool Public { get; init; }
}
