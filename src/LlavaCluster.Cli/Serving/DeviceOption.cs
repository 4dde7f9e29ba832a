using System.CommandLine;
using LlavaCluster.Model;

namespace LlavaCluster.Cli.Serving;

/// <summary><c>--device</c>, of every command that computes with a model.</summary>
internal static class DeviceOption
{
    public static string Description { get; } = $"{ComputeDevice.Names}, the N-th GPU from 0; a GPU needs a build with -p:Torch=cuda.";

    /// <summary>The CPU, unless the name of another device is given.</summary>
    public static Option<string> NamesADevice(this Option<string> option)
    {
        option.DefaultValueFactory = _ => ComputeDevice.Cpu.ToString();
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } name && ComputeDevice.Parse(name) is null)
            {
                result.AddError($"{option.Name} must be {ComputeDevice.Names}; was \"{name}\".");
            }
        });
        return option;
    }

    /// <summary>Refuses packed weights on a GPU, which has no kernels for them.</summary>
    public static void CheckWeights(this Command command, Option<string> device, Option<string> weights) => command.Validators.Add(result =>
    {
        if (result.GetValue(device) is { } place && place != "cpu" && result.GetValue(weights) is ("q8" or "q4"))
        {
            result.AddError($"{weights.Name} must be auto, f32 or bf16 with {device.Name} {place}; was {result.GetValue(weights)}.");
        }
    });

    /// <summary>The device of a command line that was found valid.</summary>
    public static ComputeDevice Of(ParseResult parsed, Option<string> option) => ComputeDevice.Parse(parsed.GetRequiredValue(option))!.Value;
}
