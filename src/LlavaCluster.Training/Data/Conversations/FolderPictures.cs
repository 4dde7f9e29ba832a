namespace LlavaCluster.Training.Data.Conversations;

/// <summary>Pictures as files below a folder. Links in it are followed: whoever made the folder made them.</summary>
internal sealed class FolderPictures(string folder) : PictureStore
{
    private protected override byte[]? Load(string name, int maxBytes)
    {
        var file = new FileInfo(Path.Combine(folder, name));
        if (!file.Exists)
        {
            return null;
        }

        using var stream = file.OpenRead();
        return Bytes(stream, stream.Length, maxBytes);
    }
}
