using LlavaCluster.Pictures;

namespace LlavaCluster.Gateway;

/// <summary>Bounds of a picture, checked on its header before anything is decoded or stored.</summary>
public sealed class ImageLimits
{
    /// <summary>Bounds of one file. Those of the workers, who read it again, are the defaults.</summary>
    public HeaderLimits File { get; set; } = new();

    /// <summary>Pixels of all pictures of a request together. Default: 100 million.</summary>
    public long MaxPixelsPerRequest { get; set; } = 100_000_000;

    /// <summary>Whether https URLs are fetched. Default: no.</summary>
    public bool AllowUrls { get; set; }

    /// <summary>Hosts that may be fetched from; empty allows every public host. Default: empty.</summary>
    public IList<string> UrlHosts { get; } = [];

    /// <summary>From the first look-up to the last byte. Default: 10 seconds.</summary>
    public TimeSpan UrlTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Redirects followed, each checked like the first URL. Default: 3.</summary>
    public int MaxRedirects { get; set; } = 3;
}
