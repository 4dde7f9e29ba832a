namespace LlavaCluster.Model.Imaging;

/// <summary>
/// Pillow's bicubic resize of 8-bit pictures, bit for bit (Pillow, src/libImaging/Resample.c): two passes with antialiasing support, 22-bit fixed-point weights,
/// rounded to 8 bits after each pass. Only the wanted window of the result is computed, and only from the rows it needs.
/// </summary>
internal static class PillowResize
{
    private const int Precision = 32 - 8 - 2;
    private const int Half = 1 << (Precision - 1);
    private const double Support = 2;

    public static RgbImage Bicubic(RgbImage source, int width, int height) => Bicubic(new Plane(source), width, height, 0, 0, width, height);

    /// <summary>The window at (<paramref name="left"/>, <paramref name="top"/>) of the source resized to <paramref name="width"/> by <paramref name="height"/>; black where it lies outside.</summary>
    public static RgbImage Bicubic(Plane source, int width, int height, int left, int top, int windowWidth, int windowHeight)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        var columns = Taps.Of(source.Width, width, Math.Max(0, left), Math.Min(width, left + windowWidth));
        var rows = Taps.Of(source.Height, height, Math.Max(0, top), Math.Min(height, top + windowHeight));
        var resized = Vertical(Horizontal(source, columns, rows.From, rows.To), rows);
        return (resized.Width, resized.Height) == (windowWidth, windowHeight) ? resized : resized.Window(Math.Min(0, left), Math.Min(0, top), windowWidth, windowHeight);
    }

    /// <summary>The rows [from, to), each resized.</summary>
    private static RgbImage Horizontal(Plane source, Taps taps, int from, int to)
    {
        var stride = taps.Count * 3;
        var result = new byte[stride * (to - from)];
        var room = source.Room();
        byte[]? blank = null;
        for (var y = from; y < to; y++)
        {
            var wide = result.AsSpan((y - from) * stride, stride);
            if (source.IsBlank(y) && blank is not null)
            {
                blank.CopyTo(wide);
                continue;
            }

            Horizontal(source.Row(y, room), taps, wide);
            blank = source.IsBlank(y) ? wide.ToArray() : blank;
        }

        return new RgbImage(taps.Count, to - from, result);
    }

    private static void Horizontal(ReadOnlySpan<byte> row, Taps taps, Span<byte> wide)
    {
        for (var x = 0; x < taps.Count; x++)
        {
            var (red, green, blue) = (Half, Half, Half);
            var at = taps.Start(x) * 3;
            foreach (var weight in taps.Weights(x))
            {
                red += row[at] * weight;
                green += row[at + 1] * weight;
                blue += row[at + 2] * weight;
                at += 3;
            }

            wide[3 * x] = Clip(red);
            wide[(3 * x) + 1] = Clip(green);
            wide[(3 * x) + 2] = Clip(blue);
        }
    }

    /// <param name="source">Of the rows that the taps need.</param>
    private static RgbImage Vertical(RgbImage source, Taps taps)
    {
        var stride = source.Width * 3;
        var result = new byte[stride * taps.Count];
        var sums = new int[stride];
        for (var y = 0; y < taps.Count; y++)
        {
            sums.AsSpan().Fill(Half);
            var weights = taps.Weights(y);
            for (var k = 0; k < weights.Length; k++)
            {
                var row = source.Pixels.AsSpan((taps.Start(y) - taps.From + k) * stride, stride);
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

        return new RgbImage(source.Width, taps.Count, result);
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

    /// <summary>For every place of a range of the output: where its input begins and the fixed-point weights.</summary>
    private sealed class Taps
    {
        private readonly int[] _weights;
        private readonly int[] _start;
        private readonly int[] _length;
        private readonly int _most;

        private Taps(int count, int most)
        {
            _start = new int[count];
            _length = new int[count];
            _weights = new int[count * most];
            _most = most;
        }

        public int Count => _start.Length;

        /// <summary>The first input place that is needed.</summary>
        public int From => Count == 0 ? 0 : _start[0];

        /// <summary>After the last input place that is needed.</summary>
        public int To => Count == 0 ? 0 : _start[^1] + _length[^1];

        public int Start(int place) => _start[place];

        public ReadOnlySpan<int> Weights(int place) => _weights.AsSpan(place * _most, _length[place]);

        public static Taps Of(int from, int to, int firstPlace, int endPlace)
        {
            var scale = (double)from / to;
            var stretch = Math.Max(scale, 1);
            var support = Support * stretch;
            var most = ((int)Math.Ceiling(support) * 2) + 1;
            var taps = new Taps(Math.Max(0, endPlace - firstPlace), most);
            Span<double> raw = new double[most];
            for (var i = 0; i < taps.Count; i++)
            {
                var centre = (firstPlace + i + 0.5) * scale;
                var first = Math.Max(0, (int)(centre - support + 0.5));
                var length = Math.Min(from, (int)(centre + support + 0.5)) - first;
                var sum = 0.0;
                for (var k = 0; k < length; k++)
                {
                    raw[k] = Cubic((k + first - centre + 0.5) * (1 / stretch));
                    sum += raw[k];
                }

                taps._start[i] = first;
                taps._length[i] = length;
                for (var k = 0; k < length; k++)
                {
                    var weight = sum != 0 ? raw[k] / sum : raw[k];
                    taps._weights[(i * most) + k] = (int)((weight < 0 ? -0.5 : 0.5) + (weight * (1 << Precision)));
                }
            }

            return taps;
        }
    }
}
