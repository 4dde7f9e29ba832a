namespace LlavaCluster.Gateway;

/// <summary>Bounds of a picture, checked on its header before anything is decoded or stored.</summary>
public sealed class ImageLimits
{
    /// <summary>Default: 20 MiB.</summary>
    public int MaxBytes { get; set; } = 20 << 20;

    /// <summary>Width times height. Default: 25 million.</summary>
    public long MaxPixels { get; set; } = 25_000_000;

    /// <summary>Pixels of all pictures of a request together. Default: 100 million.</summary>
    public long MaxPixelsPerRequest { get; set; } = 100_000_000;

    /// <summary>The longer side. Default: 8,192.</summary>
    public int MaxSide { get; set; } = 8_192;

    /// <summary>Whether https URLs are fetched. Default: no.</summary>
    public bool AllowUrls { get; set; }

    /// <summary>Hosts that may be fetched from; empty allows every public host. Default: empty.</summary>
    public IList<string> UrlHosts { get; } = [];

    /// <summary>From the first look-up to the last byte. Default: 10 seconds.</summary>
    public TimeSpan UrlTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Redirects followed, each checked like the first URL. Default: 3.</summary>
    public int MaxRedirects { get; set; } = 3;
}
