using CsCheck;
using LlavaCluster.Model.Kernels;
using LlavaCluster.Model.Kernels.Attention;

namespace LlavaCluster.Model.Tests.Kernels.Attention;

/// <summary>Attention over sequences of random lengths, in one type.</summary>
internal static unsafe class AttentionCheck<TElement, T>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int BlockSize = AttentionKernel<TElement, T>.BlockSize;
    private const int MostQueries = AttentionKernel<TElement, T>.MostQueries;
    private const int MostContext = 200;

    private static readonly Gen<Problem> Problems =
        from width in Gen.Int[1, 5]
        from contexts in Gen.Int[1, MostContext].Array[1, MostQueries]
        from seed in Gen.Int
        select new Problem(32 * width, [.. contexts.Order()], seed);

    /// <summary>Every result is within the tolerance of a sum in double over what the cache holds.</summary>
    public static void IsTheWeightedSum(bool machine, double tolerance)
    {
        SkipWithoutInstructions(machine);
        Problems.Sample(problem =>
        {
            using var cache = new Cache(problem);
            using var kernel = new AttentionKernel<TElement, T>(problem.HeadDim, cache.Stride, MostContext, machine);
            cache.Fill(kernel);

            return cache.Attend(kernel, 0, problem.Contexts.Length).Zip(problem.Expected(cache)).All(pair => Math.Abs(pair.First - pair.Second) <= tolerance);
        });
    }

    /// <summary>Bit for bit.</summary>
    public static void IsTheSameAlone(bool machine)
    {
        SkipWithoutInstructions(machine);
        Problems.Sample(problem =>
        {
            using var cache = new Cache(problem);
            using var kernel = new AttentionKernel<TElement, T>(problem.HeadDim, cache.Stride, MostContext, machine);
            cache.Fill(kernel);
            var together = cache.Attend(kernel, 0, problem.Contexts.Length);

            return Enumerable.Range(0, problem.Contexts.Length).All(query => cache.Attend(kernel, query, 1).AsSpan().SequenceEqual(together.AsSpan(query * problem.HeadDim, problem.HeadDim)));
        });
    }

    private static void SkipWithoutInstructions(bool machine) => Assert.SkipWhen(machine && !AttentionKernel<TElement, T>.HasMachine, "this processor has no AVX512-BF16");

    private sealed record Problem(int HeadDim, int[] Contexts, int Seed)
    {
        // From what the cache holds, rounded as it is.
        public IEnumerable<double> Expected(Cache cache)
        {
            foreach (var (query, context) in Contexts.Index())
            {
                var scores = Enumerable.Range(0, context).Select(token => Enumerable.Range(0, HeadDim).Sum(i => (double)cache.Queries[(query * HeadDim) + i] * cache.Key(token, i)) / Math.Sqrt(HeadDim)).ToArray();
                var weights = scores.Select(score => Math.Exp(score - scores.Max())).ToArray();
                for (var i = 0; i < HeadDim; i++)
                {
                    yield return Enumerable.Range(0, context).Sum(token => weights[token] * cache.Value(token, i)) / weights.Sum();
                }
            }
        }
    }

    /// <summary>A sequence in scattered blocks; what was never written is not a number.</summary>
    private sealed class Cache : IDisposable
    {
        private readonly Problem _problem;
        private readonly NativeBuffer<T> _keys, _values;
        private readonly NativeBuffer<float> _scratch, _output;
        private readonly float[] _written;
        private readonly long[] _blocks;

        public Cache(Problem problem)
        {
            _problem = problem;
            var random = new Random(problem.Seed);
            _blocks = [.. Enumerable.Range(0, (MostContext + BlockSize - 1) / BlockSize).Select(block => (long)block)];
            random.Shuffle(_blocks);
            (_keys, _values) = (new(_blocks.Length * Stride), new(_blocks.Length * Stride));
            new Span<byte>(_keys.Pointer, (int)_keys.Count * sizeof(T)).Fill(0xFF);
            new Span<byte>(_values.Pointer, (int)_values.Count * sizeof(T)).Fill(0xFF);
            _scratch = new(AttentionKernel<TElement, T>.ScratchFloats(problem.HeadDim, MostContext));
            _output = new(MostQueries * problem.HeadDim);
            Queries = Draw(MostQueries);
            _written = Draw(2 * problem.Contexts[^1]);

            float[] Draw(int rows) => [.. Enumerable.Range(0, rows * problem.HeadDim).Select(_ => (random.NextSingle() * 2) - 1)];
        }

        public float[] Queries { get; }

        public nint Stride => _problem.HeadDim * BlockSize;

        public double Key(int token, int dimension) => Rounded(_written[(2 * token * _problem.HeadDim) + dimension]);

        public double Value(int token, int dimension) => Rounded(_written[(((2 * token) + 1) * _problem.HeadDim) + dimension]);

        public void Fill(AttentionKernel<TElement, T> kernel)
        {
            fixed (float* written = _written)
            {
                for (var token = 0; token < _problem.Contexts[^1]; token++)
                {
                    var key = written + (2 * token * _problem.HeadDim);
                    kernel.Write(key, key + _problem.HeadDim, _keys.Pointer, _values.Pointer, (_blocks[token / BlockSize] * BlockSize) + (token % BlockSize), isLast: token + 1 == _problem.Contexts[^1]);
                }
            }
        }

        public float[] Attend(AttentionKernel<TElement, T> kernel, int first, int count)
        {
            fixed (float* queries = Queries)
            {
                var addresses = new nint[count];
                for (var i = 0; i < count; i++)
                {
                    addresses[i] = (nint)(queries + ((first + i) * _problem.HeadDim));
                }

                kernel.Attend(addresses, _problem.Contexts.AsSpan(first, count), _keys.Pointer, _values.Pointer, _blocks, _scratch.Pointer, _output.Pointer);
                return new ReadOnlySpan<float>(_output.Pointer, count * _problem.HeadDim).ToArray();
            }
        }

        public void Dispose()
        {
            foreach (var buffer in (IDisposable[])[_keys, _values, _scratch, _output])
            {
                buffer.Dispose();
            }
        }

        private static double Rounded(float value)
        {
            var bits = BitConverter.SingleToUInt32Bits(value);
            return typeof(T) == typeof(float) ? value : BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
        }
    }
}
