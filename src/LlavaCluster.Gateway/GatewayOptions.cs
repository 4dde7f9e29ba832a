namespace LlavaCluster.Gateway;

/// <summary>What the gateway accepts and from whom.</summary>
public sealed class GatewayOptions
{
    /// <summary>Largest request body in bytes, also the largest gRPC message. Default: 32 MiB.</summary>
    public int MaxBodyBytes { get; set; } = 32 << 20;

    /// <summary>Bounds of one request. </summary>
    public ChatLimits Chat { get; } = new();

    /// <summary>Bounds of pictures.</summary>
    public ImageLimits Images { get; } = new();

    /// <summary>Bounds of files, adapters and jobs.</summary>
    public TrainingLimits Training { get; } = new();

    /// <summary>
    /// Keys known without asking a tenant grain, as <c>llava-{tenant}.{keyId}.{secret}</c>: the way in for the first start on an open address.
    /// They have every scope. Default: none.
    /// </summary>
    public IList<string> StaticKeys { get; } = [];

    /// <summary>How long a key's verification is kept, and so how long a revoked key may go on. Default: 30 seconds.</summary>
    public TimeSpan KeyCacheLifetime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How much longer a key that held is taken while its tenant cannot be asked. Default: 5 minutes.</summary>
    public TimeSpan StaleKeyLifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a stateless streamed answer goes on without its reader before it is stopped. Default: 10 seconds.</summary>
    public TimeSpan ResumeGrace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Silence on a stream after which a comment is sent, so that proxies keep the connection. Default: 15 seconds.</summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a lost conversation or tenant is looked for again, counted from its loss. Default: 60 seconds.</summary>
    public TimeSpan RecoveryPatience { get; set; } = TimeSpan.FromSeconds(60);
}
