using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model;

/// <summary>Where a model is to compute: the CPU, or a GPU of this machine by its number. A name and nothing more; <see cref="Open"/> asks whether it is there.</summary>
public readonly record struct ComputeDevice
{
    private const string Cuda = "cuda";

    private ComputeDevice(int gpu) => Gpu = gpu;

    public static ComputeDevice Cpu => default;

    /// <summary>The names that <see cref="Parse"/> takes, in words.</summary>
    public static string Names => "cpu, cuda or cuda:N";

    /// <summary>The GPU's number, from 0; null for the CPU.</summary>
    public int? Gpu { get; }

    /// <summary>Null where it is no device's name.</summary>
    public static ComputeDevice? Parse(string name) => name switch
    {
        "cpu" => Cpu,
        Cuda => new ComputeDevice(0),
        _ when name.StartsWith(Cuda + ":", StringComparison.Ordinal) && int.TryParse(name.AsSpan(Cuda.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var gpu) => new ComputeDevice(gpu),
        _ => null,
    };

    /// <summary>libtorch's device.</summary>
    /// <exception cref="NotSupportedException">This build or this machine does not have it; the message says what to do.</exception>
    public Device Open()
    {
        if (Gpu is not { } gpu)
        {
            return CPU;
        }

        if (!cuda.is_available())
        {
            throw new NotSupportedException($"The device {this} is not available: it needs a build with -p:Torch=cuda, an NVIDIA GPU and its driver. Without them, use --device cpu.");
        }

        var count = cuda.device_count();
        return gpu < count ? new Device(DeviceType.CUDA, gpu) : throw new NotSupportedException($"The device must be from cuda:0 to cuda:{count - 1} on this machine; was {this}.");
    }

    public override string ToString() => Gpu is { } gpu ? $"{Cuda}:{gpu}" : "cpu";
}
