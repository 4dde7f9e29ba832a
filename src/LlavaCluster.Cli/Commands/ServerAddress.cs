using System.CommandLine;
using System.Diagnostics.CodeAnalysis;

namespace LlavaCluster.Cli.Commands;

/// <summary>Where a command's server is, and the key for it.</summary>
internal sealed class ServerAddress
{
    private readonly Option<string> _url = new("--url")
    {
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("LLAVA_URL") ?? "http://127.0.0.1:8080",
        Description = "The server; default: LLAVA_URL, or this machine's.",
    };

    private readonly Option<string?> _key = new("--api-key") { Description = "Default: LLAVA_API_KEY, which other users of the machine cannot see in its process list." };

    public void AddTo(Command command)
    {
        command.Add(_url);
        command.Add(_key);
    }

    public string? Key(ParseResult parsed) => parsed.GetValue(_key) ?? Environment.GetEnvironmentVariable("LLAVA_API_KEY");

    /// <summary>For requests that bring their own timeouts: the server's root, with the key.</summary>
    public HttpClient Connect(ParseResult parsed, Uri address)
    {
        var http = Open(address);
        if (Key(parsed) is { } key)
        {
            http.DefaultRequestHeaders.Authorization = new("Bearer", key);
        }

        return http;
    }

    /// <summary>For requests that bring their own timeouts: a server's root.</summary>
    public static HttpClient Open(Uri address)
    {
        var root = address.AbsoluteUri;
        // A connection of its own for each: some servers close one after an answer without saying so, and a question cannot be sent twice.
        var connections = new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero };
        return new HttpClient(connections) { BaseAddress = new Uri(root.EndsWith('/') ? root : root + "/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <param name="refusal">Why there is no address.</param>
    public bool TryGet(ParseResult parsed, [NotNullWhen(true)] out Uri? address, [NotNullWhen(false)] out string? refusal)
    {
        var url = parsed.GetRequiredValue(_url);
        refusal = Uri.TryCreate(url, UriKind.Absolute, out address) && address.Scheme is "http" or "https" ? null : $"--url must be an http or https URL; was \"{url}\".";
        return refusal is null;
    }
}
