using System.Numerics;

namespace LlavaCluster.Training.Scenes;

/// <summary>A linear recolouring of premultiplied RGB: hue turn, saturation, brightness and contrast in one matrix. Alpha stays.</summary>
internal readonly struct ColourTransform
{
    private static readonly Vector3 Luma = new(0.299f, 0.587f, 0.114f); // ITU-R BT.601
    private readonly Vector3 _red;
    private readonly Vector3 _green;
    private readonly Vector3 _blue;
    private readonly float _offset; // added per unit of alpha, on the 0-255 scale

    private ColourTransform(Vector3 red, Vector3 green, Vector3 blue, float offset)
    {
        (_red, _green, _blue, _offset) = (red, green, blue, offset);
    }

    public static ColourTransform Identity { get; } = new(Vector3.UnitX, Vector3.UnitY, Vector3.UnitZ, 0);

    /// <summary>Mild enough that a lemon stays yellow and a tomato red.</summary>
    public static ColourTransform Draw(SceneRandom random)
    {
        var hue = random.Range(-0.2f, 0.2f);
        var saturation = random.Range(0.7f, 1.25f);
        var gain = random.Range(0.8f, 1.15f);
        var offset = random.Range(-18f, 18f);
        return Create(hue, saturation, gain, offset);
    }

    /// <param name="hue">Turn about the grey axis in radians.</param>
    /// <param name="saturation">1 leaves colours, 0 makes them grey.</param>
    /// <param name="gain">Multiplies all channels.</param>
    /// <param name="offset">Added to all channels of an opaque pixel.</param>
    public static ColourTransform Create(float hue, float saturation, float gain, float offset)
    {
        // Rodrigues' rotation about (1, 1, 1)/sqrt(3), then a blend with luma.
        var (sin, cos) = MathF.SinCos(hue);
        var a = cos + (1 - cos) / 3;
        var b = (1 - cos) / 3 - sin / MathF.Sqrt(3);
        var c = (1 - cos) / 3 + sin / MathF.Sqrt(3);
        Vector3 Row(float r, float g, float blue) => gain * (saturation * new Vector3(r, g, blue) + (1 - saturation) * Luma);
        return new ColourTransform(Row(a, b, c), Row(c, a, b), Row(b, c, a), offset);
    }

    public void Apply(Span<float> sample)
    {
        var alpha = sample[3];
        if (alpha <= 0)
        {
            return;
        }

        var colour = new Vector3(sample[0], sample[1], sample[2]);
        var shift = _offset * alpha / 255f;
        sample[0] = Math.Clamp(Vector3.Dot(_red, colour) + shift, 0, alpha);
        sample[1] = Math.Clamp(Vector3.Dot(_green, colour) + shift, 0, alpha);
        sample[2] = Math.Clamp(Vector3.Dot(_blue, colour) + shift, 0, alpha);
    }
}
