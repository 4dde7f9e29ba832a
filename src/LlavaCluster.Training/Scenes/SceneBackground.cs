using System.Numerics;

namespace LlavaCluster.Training.Scenes;

/// <summary>Paints what lies behind the objects: plain, gradients, soft noise, stripes, checks, blobs, a horizon.</summary>
internal static class SceneBackground
{
    private static readonly Action<SceneCanvas, SceneRandom>[] Painters =
        [PaintPlain, PaintGradient, PaintRadial, PaintNoise, PaintStripes, PaintChecks, PaintBlobs, PaintHorizon];

    public static void Paint(SceneCanvas canvas, SceneRandom random)
    {
        random.Pick(Painters)(canvas, random);
    }

    private static void PaintPlain(SceneCanvas canvas, SceneRandom random)
    {
        var colour = Colour(random);
        Fill(canvas, (_, _) => colour);
    }

    private static void PaintGradient(SceneCanvas canvas, SceneRandom random)
    {
        var (from, to) = (Colour(random), Colour(random));
        var (sin, cos) = MathF.SinCos(random.Range(0, MathF.Tau));
        Fill(canvas, (x, y) => Vector3.Lerp(from, to, Math.Clamp(0.5f + (cos * (x - 0.5f) + sin * (y - 0.5f)) / 1.2f, 0, 1)));
    }

    private static void PaintRadial(SceneCanvas canvas, SceneRandom random)
    {
        var (inner, outer) = (Colour(random), Colour(random));
        var centre = new Vector2(random.NextSingle(), random.NextSingle());
        Fill(canvas, (x, y) => Vector3.Lerp(inner, outer, Math.Min(1, Vector2.Distance(centre, new Vector2(x, y)))));
    }

    private static void PaintNoise(SceneCanvas canvas, SceneRandom random)
    {
        var (from, to) = (Colour(random), Colour(random));
        var knots = random.Next(6) + 4;
        var values = new float[(knots + 1) * (knots + 1)];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = random.NextSingle();
        }

        Fill(canvas, (x, y) => Vector3.Lerp(from, to, ValueNoise(values, knots, x, y)));
    }

    private static void PaintStripes(SceneCanvas canvas, SceneRandom random)
    {
        var (first, second) = Pair(random);
        var (sin, cos) = MathF.SinCos(random.Range(0, MathF.PI));
        var frequency = random.Range(2.5f, 9f);
        Fill(canvas, (x, y) => ((int)MathF.Floor((cos * x + sin * y + 2) * frequency) & 1) == 0 ? first : second);
    }

    private static void PaintChecks(SceneCanvas canvas, SceneRandom random)
    {
        var (first, second) = Pair(random);
        var frequency = random.Range(2.5f, 7f);
        Fill(canvas, (x, y) => (((int)(x * frequency) + (int)(y * frequency)) & 1) == 0 ? first : second);
    }

    private static void PaintBlobs(SceneCanvas canvas, SceneRandom random)
    {
        var ground = Colour(random);
        var blobs = new (Vector2 Centre, float Radius, Vector3 Colour)[3 + random.Next(6)];
        for (var i = 0; i < blobs.Length; i++)
        {
            blobs[i] = (new Vector2(random.NextSingle(), random.NextSingle()), random.Range(0.06f, 0.3f), Near(ground, random));
        }

        Fill(canvas, (x, y) =>
        {
            var colour = ground;
            foreach (var blob in blobs)
            {
                colour = Vector2.Distance(blob.Centre, new Vector2(x, y)) < blob.Radius ? blob.Colour : colour;
            }

            return colour;
        });
    }

    private static void PaintHorizon(SceneCanvas canvas, SceneRandom random)
    {
        var (sky, ground) = (Colour(random), Colour(random));
        var height = random.Range(0.35f, 0.75f);
        var wave = random.Range(0f, 0.05f);
        var frequency = random.Range(3f, 12f);
        Fill(canvas, (x, y) => y < height + wave * MathF.Sin(x * frequency)
            ? sky * (0.85f + 0.15f * y / height)
            : ground * (1.05f - 0.15f * y));
    }

    private static void Fill(SceneCanvas canvas, Func<float, float, Vector3> colourAt)
    {
        var size = canvas.Size;
        for (var index = 0; index < size * size; index++)
        {
            var colour = colourAt((index % size + 0.5f) / size, (index / size + 0.5f) / size);
            (canvas.Pixels[index * 3], canvas.Pixels[index * 3 + 1], canvas.Pixels[index * 3 + 2]) = (colour.X, colour.Y, colour.Z);
        }
    }

    private static float ValueNoise(float[] values, int knots, float x, float y)
    {
        var (gx, gy) = (x * knots, y * knots);
        var (x0, y0) = ((int)gx, (int)gy);
        var (fx, fy) = (Smooth(gx - x0), Smooth(gy - y0));
        var row = y0 * (knots + 1) + x0;
        var upper = float.Lerp(values[row], values[row + 1], fx);
        var lower = float.Lerp(values[row + knots + 1], values[row + knots + 2], fx);
        return float.Lerp(upper, lower, fy);
    }

    private static float Smooth(float t) => t * t * (3 - 2 * t);

    /// <summary>Any hue, mostly muted, neither black nor white.</summary>
    private static Vector3 Colour(SceneRandom random)
    {
        var value = random.Range(60f, 255f);
        var saturation = random.Range(0f, 1f);
        saturation *= saturation * 0.8f;
        var tint = new Vector3(random.NextSingle(), random.NextSingle(), random.NextSingle());
        tint /= Math.Max(0.1f, Math.Max(tint.X, Math.Max(tint.Y, tint.Z)));
        return value * (Vector3.One * (1 - saturation) + saturation * tint);
    }

    /// <summary>Two colours near each other, so that a pattern does not drown what lies on it.</summary>
    private static (Vector3 First, Vector3 Second) Pair(SceneRandom random)
    {
        var first = Colour(random);
        return (first, Near(first, random));
    }

    private static Vector3 Near(Vector3 colour, SceneRandom random)
    {
        var shift = new Vector3(random.Range(-45, 45), random.Range(-45, 45), random.Range(-45, 45));
        return Vector3.Clamp(colour + shift, Vector3.Zero, new Vector3(255));
    }
}
