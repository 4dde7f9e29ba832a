using System.Buffers;
using System.IO.Pipelines;

namespace LlavaCluster.Gateway.Http.Forms;

/// <summary>A file as it arrives.</summary>
/// <param name="Name">What the client calls the file; nothing that a path may be made of.</param>
/// <param name="Content">To be read while it is there, which is until the callback ends.</param>
/// <param name="Fields">Those that came before the file.</param>
internal sealed record UploadedFile(string Name, PipeReader Content, IReadOnlyDictionary<string, string> Fields)
{
    /// <summary>The first bytes, which <see cref="Content"/> gives again.</summary>
    /// <returns>At most <paramref name="length"/>, less where the file is shorter.</returns>
    public async Task<byte[]> PeekAsync(int length, CancellationToken cancellationToken)
    {
        var read = await Content.ReadAtLeastAsync(length, cancellationToken);
        var head = read.Buffer.Slice(0, Math.Min(length, read.Buffer.Length)).ToArray();
        Content.AdvanceTo(read.Buffer.Start);
        return head;
    }
}
