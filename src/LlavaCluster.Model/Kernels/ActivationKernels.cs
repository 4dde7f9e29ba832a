using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Kernels;

/// <summary>Activations over rows in float32, in place, with any processor's vectors. Lengths are multiples of <see cref="Products.ProductKernel.InputMultiple"/>.</summary>
internal static unsafe class ActivationKernels
{
    /// <param name="bias">Added first, [count]; 0 for none.</param>
    public static void Apply(Activation activation, float* x, float* bias, int count)
    {
        switch (activation)
        {
            case Activation.QuickGelu:
                Apply<QuickGelu>(x, bias, count);
                break;
            case Activation.Gelu:
                Apply<Gelu>(x, bias, count);
                break;
            case Activation.Silu:
                Apply<Silu>(x, bias, count);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "not an activation");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Apply<TFunction>(float* x, float* bias, int count)
        where TFunction : struct, IFunction
    {
        for (var i = 0; i < count; i += Vector512<float>.Count)
        {
            var value = Vector512.Load(x + i);
            TFunction.Of(bias is null ? value : value + Vector512.Load(bias + i)).Store(x + i);
        }
    }

    private interface IFunction
    {
        static abstract Vector512<float> Of(Vector512<float> x);
    }

    private readonly struct QuickGelu : IFunction
    {
        private const float Steepness = 1.702f;

        public static Vector512<float> Of(Vector512<float> x) => x / (Vector512<float>.One + Exponential.Of(-x * Steepness));
    }

    private readonly struct Silu : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x) => x / (Vector512<float>.One + Exponential.Of(-x));
    }

    /// <summary>x / 2 * (1 + erf(x / sqrt 2)), erf as Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: within 1.5e-7.</summary>
    private readonly struct Gelu : IFunction
    {
        private const float P = 0.3275911f, A1 = 0.254829592f, A2 = -0.284496736f, A3 = 1.421413741f, A4 = -1.453152027f, A5 = 1.061405429f;
        private const float HalfRoot = 0.70710678f;

        public static Vector512<float> Of(Vector512<float> x)
        {
            var z = Vector512.Abs(x) * HalfRoot;
            var t = Vector512<float>.One / (Vector512<float>.One + (z * P));
            var polynomial = ((((((((t * A5) + Vector512.Create(A4)) * t) + Vector512.Create(A3)) * t) + Vector512.Create(A2)) * t) + Vector512.Create(A1)) * t;
            var tail = polynomial * Exponential.Of(-z * z); // 1 - erf(z)
            var both = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(x, Vector512<float>.Zero), Vector512.Create(2f) - tail, tail);
            return x * both * 0.5f;
        }
    }
}
