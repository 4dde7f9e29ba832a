namespace LlavaCluster.Training.Scenes;

/// <summary>What a camera and a file format do to a finished picture: light, a little blur, grain, coarse colour.</summary>
internal static class SceneFinish
{
    public static void Apply(SceneCanvas canvas, SceneRandom random)
    {
        if (random.Chance(0.4f))
        {
            ShiftLight(canvas.Pixels, random.Range(0.88f, 1.1f), random.Range(-12f, 12f));
        }

        if (random.Chance(0.12f))
        {
            Blur(canvas);
        }

        if (random.Chance(0.1f))
        {
            CoarsenColour(canvas);
        }

        if (random.Chance(0.3f))
        {
            AddGrain(canvas.Pixels, random, random.Range(2f, 10f));
        }
    }

    private static void ShiftLight(float[] pixels, float gain, float offset)
    {
        for (var i = 0; i < pixels.Length; i++)
        {
            pixels[i] = Math.Clamp(pixels[i] * gain + offset, 0, 255);
        }
    }

    /// <summary>One 1-2-1 pass along rows and one along columns, in place.</summary>
    private static void Blur(SceneCanvas canvas)
    {
        var size = canvas.Size;
        for (var line = 0; line < size; line++)
        {
            BlurLine(canvas.Pixels, line * size * 3, 3, size);
        }

        for (var line = 0; line < size; line++)
        {
            BlurLine(canvas.Pixels, line * 3, size * 3, size);
        }
    }

    private static void BlurLine(float[] pixels, int start, int stride, int count)
    {
        for (var channel = 0; channel < 3; channel++)
        {
            var previous = pixels[start + channel];
            for (var i = 0; i < count; i++)
            {
                var index = start + channel + i * stride;
                var next = i + 1 < count ? pixels[index + stride] : pixels[index];
                var current = pixels[index];
                pixels[index] = (previous + 2 * current + next) / 4;
                previous = current;
            }
        }
    }

    /// <summary>Colour difference averaged over 2x2 pixels while brightness stays, as JPEG's 4:2:0 does.</summary>
    private static void CoarsenColour(SceneCanvas canvas)
    {
        var size = canvas.Size;
        Span<float> mean = stackalloc float[3];
        Span<int> corners = stackalloc int[4];
        for (var y = 0; y + 1 < size; y += 2)
        {
            for (var x = 0; x + 1 < size; x += 2)
            {
                var first = (y * size + x) * 3;
                (corners[0], corners[1], corners[2], corners[3]) = (first, first + 3, first + size * 3, first + size * 3 + 3);
                CoarsenBlock(canvas.Pixels, corners, mean);
            }
        }
    }

    private static void CoarsenBlock(float[] pixels, ReadOnlySpan<int> corners, Span<float> mean)
    {
        mean.Clear();
        foreach (var corner in corners)
        {
            for (var channel = 0; channel < 3; channel++)
            {
                mean[channel] += pixels[corner + channel] / 4;
            }
        }

        var meanLight = Light(mean);
        foreach (var corner in corners)
        {
            var shift = Light(pixels.AsSpan(corner, 3)) - meanLight;
            for (var channel = 0; channel < 3; channel++)
            {
                pixels[corner + channel] = Math.Clamp(mean[channel] + shift, 0, 255);
            }
        }
    }

    private static float Light(ReadOnlySpan<float> colour) => 0.299f * colour[0] + 0.587f * colour[1] + 0.114f * colour[2];

    private static void AddGrain(float[] pixels, SceneRandom random, float strength)
    {
        for (var i = 0; i + 2 < pixels.Length; i += 3)
        {
            // The sum of three bytes is close to normal, with a standard deviation of 128 on this scale.
            var bits = random.NextUInt64();
            var sum = (bits & 0xFF) + ((bits >> 8) & 0xFF) + ((bits >> 16) & 0xFF);
            var grain = ((float)sum - 382.5f) / 128f * strength;
            for (var channel = 0; channel < 3; channel++)
            {
                pixels[i + channel] = Math.Clamp(pixels[i + channel] + grain, 0, 255);
            }
        }
    }
}
