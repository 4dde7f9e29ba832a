using System.Buffers;
using System.Security.Cryptography;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Worker;

/// <summary>A stored object copied into a file, for who needs it on its own disk, and looked at on the way.</summary>
internal static class ObjectCopy
{
    private const int CopyBytes = 1 << 16;

    /// <param name="stored">Read to its end, or beyond <paramref name="mostBytes"/>; stays the caller's.</param>
    /// <param name="path">Made or replaced; the caller's to delete, whatever comes of it.</param>
    /// <exception cref="IOException">The disk takes no more, or the store gives no more.</exception>
    public static async Task<ObjectCopyOutcome> WriteAsync(Stream stored, ObjectId id, string path, long mostBytes, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            await using var copy = File.Create(path);
            for (int read; (read = await stored.ReadAsync(buffer.AsMemory(0, CopyBytes), cancellationToken)) > 0;)
            {
                if (copy.Length + read > mostBytes)
                {
                    return ObjectCopyOutcome.TooLong;
                }

                hash.AppendData(buffer, 0, read);
                await copy.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return ObjectId.OfHash(hash.GetHashAndReset()) == id ? ObjectCopyOutcome.Whole : ObjectCopyOutcome.Damaged;
    }
}

internal enum ObjectCopyOutcome
{
    Whole,

    /// <summary>Its bytes are not those that it is named by.</summary>
    Damaged,

    TooLong,
}
