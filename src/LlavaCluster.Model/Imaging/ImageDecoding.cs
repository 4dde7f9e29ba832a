using System.Diagnostics.CodeAnalysis;

namespace LlavaCluster.Model.Imaging;

/// <summary>What came of decoding: a picture, or why not (the rule and the given value, never the bytes).</summary>
public sealed class ImageDecoding
{
    private ImageDecoding(RgbImage? image, string? refusal)
    {
        Image = image;
        Refusal = refusal;
    }

    public RgbImage? Image { get; }

    public string? Refusal { get; }

    [MemberNotNullWhen(true, nameof(Image))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Image is not null;

    internal static ImageDecoding Of(RgbImage image) => new(image, null);

    internal static ImageDecoding Refused(string refusal) => new(null, refusal);
}
