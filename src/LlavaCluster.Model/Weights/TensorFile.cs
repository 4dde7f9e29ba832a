namespace LlavaCluster.Model.Weights;

/// <summary>Opens a weight file by what it holds, not by what it is called.</summary>
internal static class TensorFile
{
    private const int ZipMagic = 0x04034b50;
    private const byte PickleProtocolMark = 0x80;

    public static ITensorFile Open(string path)
    {
        Span<byte> head = stackalloc byte[8];
        try
        {
            using var stream = File.OpenRead(path);
            head = head[..stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(path, "cannot be read: " + exception.Message, exception);
        }

        if (head.Length >= 4 && BitConverter.ToInt32(head) == ZipMagic)
        {
            return TorchArchive.Open(path);
        }

        // A safetensors file starts with the length of its header, which would have to be 128 and odd-looking to begin with this mark.
        var isPickle = head.Length >= 2 && head[0] == PickleProtocolMark && head[1] is >= 2 and <= 5 && !path.EndsWith(".safetensors", StringComparison.Ordinal);
        return isPickle
            ? throw new CheckpointException(path, "is a bare pickle, the format of PyTorch before 1.6; load and save it again with a newer PyTorch, or convert it to safetensors.")
            : SafetensorsFile.Open(path);
    }
}
