namespace LlavaCluster.Model.Imaging;

/// <summary>
/// Pillow's bicubic resize of 8-bit pictures, bit for bit (Pillow, src/libImaging/Resample.c): two passes with antialiasing support, 22-bit fixed-point weights,
/// rounded to 8 bits after each pass.
/// </summary>
internal static class PillowResize
{
    private const int Precision = 32 - 8 - 2;
    private const int Half = 1 << (Precision - 1);
    private const double Support = 2;

    public static RgbImage Bicubic(RgbImage source, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        var wide = width == source.Width ? source : Horizontal(source, width);
        return height == wide.Height ? wide : Vertical(wide, height);
    }

    private static RgbImage Horizontal(RgbImage source, int width)
    {
        var taps = Taps.Of(source.Width, width);
        var result = new byte[width * source.Height * 3];
        for (var y = 0; y < source.Height; y++)
        {
            var row = source.Pixels.AsSpan(y * source.Width * 3, source.Width * 3);
            for (var x = 0; x < width; x++)
            {
                var weights = taps.Weights(x);
                var (red, green, blue) = (Half, Half, Half);
                var at = taps.Start[x] * 3;
                foreach (var weight in weights)
                {
                    red += row[at] * weight;
                    green += row[at + 1] * weight;
                    blue += row[at + 2] * weight;
                    at += 3;
                }

                var to = ((y * width) + x) * 3;
                result[to] = Clip(red);
                result[to + 1] = Clip(green);
                result[to + 2] = Clip(blue);
            }
        }

        return new RgbImage(width, source.Height, result);
    }

    private static RgbImage Vertical(RgbImage source, int height)
    {
        var taps = Taps.Of(source.Height, height);
        var stride = source.Width * 3;
        var result = new byte[stride * height];
        var sums = new int[stride];
        for (var y = 0; y < height; y++)
        {
            sums.AsSpan().Fill(Half);
            var weights = taps.Weights(y);
            for (var k = 0; k < weights.Length; k++)
            {
                var row = source.Pixels.AsSpan((taps.Start[y] + k) * stride, stride);
                for (var i = 0; i < stride; i++)
                {
                    sums[i] += row[i] * weights[k];
                }
            }

            for (var i = 0; i < stride; i++)
            {
                result[(y * stride) + i] = Clip(sums[i]);
            }
        }

        return new RgbImage(source.Width, height, result);
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> Precision, 0, 255);

    // Keys' cubic with a = -0.5.
    private static double Cubic(double x)
    {
        const double a = -0.5;
        x = Math.Abs(x);
        return x < 1 ? ((((a + 2) * x) - (a + 3)) * x * x) + 1
            : x < 2 ? ((((x - 5) * x) + 8) * x - 4) * a
            : 0;
    }

    /// <summary>For every output place: where its input begins and the fixed-point weights.</summary>
    private sealed class Taps
    {
        private readonly int[] _weights;
        private readonly int[] _count;
        private readonly int _most;

        private Taps(int size, int most)
        {
            Start = new int[size];
            _count = new int[size];
            _weights = new int[size * most];
            _most = most;
        }

        public int[] Start { get; }

        public ReadOnlySpan<int> Weights(int place) => _weights.AsSpan(place * _most, _count[place]);

        public static Taps Of(int from, int to)
        {
            var scale = (double)from / to;
            var stretch = Math.Max(scale, 1);
            var support = Support * stretch;
            var most = ((int)Math.Ceiling(support) * 2) + 1;
            var taps = new Taps(to, most);
            Span<double> raw = new double[most];
            for (var place = 0; place < to; place++)
            {
                var centre = (place + 0.5) * scale;
                var first = Math.Max(0, (int)(centre - support + 0.5));
                var count = Math.Min(from, (int)(centre + support + 0.5)) - first;
                var sum = 0.0;
                for (var k = 0; k < count; k++)
                {
                    raw[k] = Cubic((k + first - centre + 0.5) * (1 / stretch));
                    sum += raw[k];
                }

                taps.Start[place] = first;
                taps._count[place] = count;
                for (var k = 0; k < count; k++)
                {
                    var weight = sum != 0 ? raw[k] / sum : raw[k];
                    taps._weights[(place * most) + k] = (int)((weight < 0 ? -0.5 : 0.5) + (weight * (1 << Precision)));
                }
            }

            return taps;
        }
    }
}
