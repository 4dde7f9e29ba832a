using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LlavaCluster.Training.Distributed;

/// <summary>
/// Training for slow links: members take H steps of their own, and only then agree. With n members, start s, momentum m, rate a and factor b, all of them compute
/// <code>
/// g = mean over members of (s - parameters)      the outer gradient, summed in the ring
/// m = b m + g
/// s = s - a (g + b m)                            Nesterov, as PyTorch's SGD has it
/// parameters = s
/// </code>
/// (Douillard et al., "DiLoCo: Distributed Low-Communication Training of Language Models", 2023, algorithm 1; Reddi et al., "Adaptive Federated Optimization", 2021.)
/// Start and momentum are equal in all members, bit for bit, and are what a checkpoint needs beside the inner optimiser. One thread; twelve bytes a parameter.
/// </summary>
public sealed class OuterStep
{
    private readonly OuterStepOptions _options;
    private readonly float[] _start;
    private readonly float[] _momentum;
    private readonly float[] _gradient;

    /// <param name="start">The parameters from which all members begin.</param>
    public OuterStep(OuterStepOptions options, ReadOnlySpan<float> start)
    {
        options.Validate();
        _options = options;
        _start = start.ToArray();
        _momentum = new float[start.Length];
        _gradient = new float[start.Length];
    }

    /// <summary>The parameters after the latest outer step; written by who restores a checkpoint or receives another member's.</summary>
    public Span<float> Start => _start;

    /// <summary>As <see cref="Start"/>.</summary>
    public Span<float> Momentum => _momentum;

    /// <summary>Brings the members together. If the group breaks, nothing has changed: the same step may be taken in another group.</summary>
    /// <param name="parameters">Of this member; afterwards those of all.</param>
    /// <exception cref="RingBrokenException">The group ended.</exception>
    public void Apply(Span<float> parameters, ITrainingGroup group)
    {
        if (parameters.Length != _start.Length)
        {
            throw new ArgumentException($"There must be {_start.Length} parameters; there were {parameters.Length}.", nameof(parameters));
        }

        Subtract(_start, parameters, _gradient);
        group.Sum(_gradient);
        Step(1f / group.Size);
        _start.CopyTo(parameters);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Subtract(ReadOnlySpan<float> start, ReadOnlySpan<float> now, Span<float> difference)
    {
        ReadOnlySpan<Vector<float>> wideStart = Wide(start), wideNow = Wide(now);
        var wide = Wide(difference);
        for (var i = 0; i < wide.Length; i++)
        {
            wide[i] = wideStart[i] - wideNow[i];
        }

        for (var i = wide.Length * Vector<float>.Count; i < difference.Length; i++)
        {
            difference[i] = start[i] - now[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Step(float share)
    {
        var (rate, factor) = (_options.LearningRate, _options.Momentum);
        Span<Vector<float>> starts = Wide(_start.AsSpan()), momenta = Wide(_momentum.AsSpan()), gradients = Wide(_gradient.AsSpan());
        for (var i = 0; i < starts.Length; i++)
        {
            var gradient = gradients[i] * share;
            momenta[i] = (factor * momenta[i]) + gradient;
            starts[i] -= rate * (gradient + (factor * momenta[i]));
        }

        for (var i = starts.Length * Vector<float>.Count; i < _start.Length; i++)
        {
            var gradient = _gradient[i] * share;
            _momentum[i] = (factor * _momentum[i]) + gradient;
            _start[i] -= rate * (gradient + (factor * _momentum[i]));
        }
    }

    private static Span<Vector<float>> Wide(Span<float> values) => MemoryMarshal.Cast<float, Vector<float>>(values);

    private static ReadOnlySpan<Vector<float>> Wide(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, Vector<float>>(values);
}
