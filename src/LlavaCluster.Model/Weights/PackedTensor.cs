using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// How a packed matrix is named and described in a weight file: the matrix's name with the format and the layout's version behind it (<c>...q_proj.weight.q8.1</c>), bytes of
/// shape [outputs / 16, bytes of a block] (<see cref="IntegerLayout"/>). A file of another version is refused, for its tensors are none of the model's.
/// </summary>
/// <param name="Matrix">Our name for the matrix.</param>
internal sealed record PackedTensor(string Matrix, WeightFormat Format)
{
    private static readonly (string Suffix, WeightFormat Format)[] Suffixes = [(".q8.1", WeightFormat.Q8), (".q4.1", WeightFormat.Q4)];

    /// <summary>What is put behind a matrix's name.</summary>
    public static string Suffix(WeightFormat format) => Suffixes.First(entry => entry.Format == format).Suffix;

    /// <summary>Null for the name of a tensor that is not packed.</summary>
    /// <param name="name">One of ours, the suffix aside.</param>
    public static PackedTensor? Parse(string name)
    {
        foreach (var (suffix, format) in Suffixes)
        {
            if (name.EndsWith(".weight" + suffix, StringComparison.Ordinal))
            {
                return new PackedTensor(name[..^suffix.Length], format);
            }
        }

        return null;
    }

    /// <summary>Whether the kernels read the tensor of this name of ours: the layers' matrices and the head, not embeddings, norms and biases.</summary>
    public static bool IsMatrix(TextConfig text, string name, int axes) =>
        axes == 2 && (name == Head(text) || name.StartsWith("language_model.layers.", StringComparison.Ordinal));

    /// <summary>Our name for the matrix that scores tokens.</summary>
    public static string Head(TextConfig text) => text.TieWordEmbeddings ? "language_model.embed_tokens.weight" : TensorNames.LanguageHead;

    /// <summary>Shape of the packed bytes of a matrix.</summary>
    public static long[] ShapeOf(WeightFormat format, long outputs, long inputs) => [outputs / ProductKernel.OutputMultiple, new IntegerLayout(format, (int)inputs).BlockBytes];

    /// <summary>[outputs, inputs] of the matrix that a file's tensor packs; null where it packs none.</summary>
    public long[]? MatrixShape(TensorInfo stored)
    {
        var groupBytes = new IntegerLayout(Format, IntegerLayout.GroupInputs).BlockBytes;
        return stored is { Type: ScalarType.Byte, Shape: [var blocks, var bytes] } && bytes > 0 && bytes % groupBytes == 0
            ? [blocks * ProductKernel.OutputMultiple, bytes / groupBytes * IntegerLayout.GroupInputs]
            : null;
    }
}
