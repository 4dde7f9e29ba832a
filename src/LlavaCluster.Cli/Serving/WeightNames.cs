using LlavaCluster.Model;
using LlavaCluster.Model.Kernels.Products;
using TorchSharp;

namespace LlavaCluster.Cli.Serving;

/// <summary>The values of --weights.</summary>
internal static class WeightNames
{
    private static readonly (string Name, WeightFormat? Format)[] Table =
        [("auto", null), ("f32", WeightFormat.Float32), ("bf16", WeightFormat.BFloat16), ("q8", WeightFormat.Q8), ("q4", WeightFormat.Q4)];

    public static IEnumerable<string> All => Table.Select(entry => entry.Name);

    /// <param name="name">One of <see cref="All"/>.</param>
    public static WeightFormat? Parse(string name) => Table.First(entry => entry.Name == name).Format;

    /// <summary>The type of the network that such weights are made of; null lets the checkpoint decide.</summary>
    public static torch.ScalarType? TypeOf(WeightFormat? format) => format switch
    {
        WeightFormat.Float32 => torch.ScalarType.Float32,
        WeightFormat.BFloat16 => torch.ScalarType.BFloat16,
        WeightFormat.Q8 or WeightFormat.Q4 when LlavaModel.HasFastBFloat16 => torch.ScalarType.BFloat16, // what stays beside the packed matrices need not be more exact than they
        _ => null,
    };
}
