using System.Diagnostics.CodeAnalysis;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Files;

/// <summary>How clients name an object as a file: <c>file-</c> and the object's id.</summary>
internal static class FileId
{
    private const string Prefix = "file-";

    public static string Of(ObjectId id) => Prefix + id.Value;

    public static bool TryParse(string? text, [NotNullWhen(true)] out ObjectId? id)
    {
        id = null;
        return text is not null && text.StartsWith(Prefix, StringComparison.Ordinal) && ObjectId.TryParse(text[Prefix.Length..], out id);
    }
}

/// <summary>What a file is for, in OpenAI's words.</summary>
internal static class FilePurposes
{
    /// <summary>A picture for chats.</summary>
    public const string Vision = "vision";

    /// <summary>Conversations to train on, or a zip of their pictures.</summary>
    public const string FineTune = "fine-tune";
}
