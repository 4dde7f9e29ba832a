using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Operators;

/// <summary>
/// The only way of a step's numbers between the host and the network's device: int64 up and float32 down, one copy each, through host buffers that are kept from step to step and
/// pinned beside a GPU. The way up waits for nothing; the way down waits for all that the device was told before. On a CPU both are plain copies. Owns its buffers; one thread.
/// </summary>
internal sealed class DeviceLink(Device device) : IDisposable
{
    private Tensor? _staged; // host
    private Tensor? _inputs; // device
    private Tensor? _outputs; // host
    private bool _isUnderWay;

    /// <summary>Copies to the device so far.</summary>
    internal int Uploads { get; private set; }

    /// <summary>Copies to the host so far.</summary>
    internal int Downloads { get; private set; }

    /// <summary>Host memory for so many numbers to send, until <see cref="Upload"/>.</summary>
    public unsafe Span<long> Stage(int count)
    {
        if (_isUnderWay)
        {
            // A step broke off, and its copy may still be read from: libtorch keeps pinned memory that is given back until then.
            Dispose(ref _staged);
            _isUnderWay = false;
        }

        return new Span<long>(TensorMemory.Address(Room(ref _staged, count, ScalarType.Int64, CPU)), count);
    }

    /// <summary>The first numbers of what was staged, [count] int64 on the device, in the caller's dispose scope and until the next upload.</summary>
    public Tensor Upload(int count)
    {
        Uploads++;
        _isUnderWay = true;
        using var staged = _staged!.narrow(0, 0, count);
        return Room(ref _inputs, count, ScalarType.Int64, device).narrow(0, 0, count).copy_(staged, true);
    }

    /// <summary>Waits for [count] float32 on the device; valid until the next download.</summary>
    public unsafe ReadOnlySpan<float> Download(Tensor values)
    {
        Downloads++;
        var count = (int)values.numel();
        using var target = Room(ref _outputs, count, ScalarType.Float32, CPU).narrow(0, 0, count);
        target.copy_(values);
        _isUnderWay = false;
        return new ReadOnlySpan<float>(TensorMemory.Address(_outputs!), count);
    }

    public void Dispose()
    {
        Dispose(ref _staged);
        Dispose(ref _inputs);
        Dispose(ref _outputs);
    }

    private Tensor Room(ref Tensor? buffer, int count, ScalarType type, Device place)
    {
        if (buffer is null || buffer.numel() < count)
        {
            Dispose(ref buffer);
            buffer = Allocate((long)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(count, 1)), type, place);
        }

        return buffer;
    }

    private Tensor Allocate(long count, ScalarType type, Device place)
    {
        var plain = empty(count, type, place).DetachFromDisposeScope();
        if (place.type != DeviceType.CPU || device.type != DeviceType.CUDA)
        {
            return plain;
        }

        using (plain)
        {
            return plain.pin_memory().DetachFromDisposeScope();
        }
    }

    private static void Dispose(ref Tensor? buffer)
    {
        buffer?.Dispose();
        buffer = null;
    }
}
