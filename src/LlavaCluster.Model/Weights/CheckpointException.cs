using System.Text;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// A model folder, weight file, adapter or tokenizer that cannot be used. The message names the file, where there is one the tensor or field, and the reason;
/// text taken from the file is cut and escaped, so it is safe to log.
/// </summary>
public sealed class CheckpointException : Exception
{
    private const int LongestName = 200;

    public CheckpointException(string file, string reason, Exception? innerException = null)
        : base($"{file}: {reason}", innerException) => File = file;

    public CheckpointException(string file, string tensor, string reason)
        : base($"{file}: tensor '{Printable(tensor)}': {reason}")
    {
        File = file;
        Tensor = tensor;
    }

    /// <summary>The file or folder that was refused.</summary>
    public string File { get; }

    /// <summary>The tensor at fault, by its name in the file.</summary>
    public string? Tensor { get; }

    /// <summary>A name from a file, made fit for a message: control characters escaped, at most 200 characters.</summary>
    internal static string Printable(string name)
    {
        var text = new StringBuilder();
        foreach (var character in name.Length > LongestName ? name[..LongestName] : name)
        {
            _ = char.IsControl(character) || char.IsSurrogate(character) ? text.Append($"\\u{(int)character:x4}") : text.Append(character);
        }

        return name.Length > LongestName ? text.Append("...").ToString() : text.ToString();
    }
}
