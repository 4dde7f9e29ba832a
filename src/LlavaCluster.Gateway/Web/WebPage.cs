using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Web;

/// <summary>The chat page: a few files inside this assembly, the same for everybody, so that they need no key. What they ask for does.</summary>
internal static class WebPage
{
    private const string Root = "wwwroot/";

    // Nothing but this server; pictures also from what the user picked.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly Dictionary<string, string> MediaTypes = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
        [".png"] = "image/png",
        [".jpg"] = "image/jpeg",
        [".json"] = "application/json; charset=utf-8",
    };

    public static void Map(WebApplication app)
    {
        var assembly = typeof(WebPage).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Root, StringComparison.Ordinal)))
        {
            var path = name[Root.Length..].Replace('\\', '/');
            app.MapMethods(path == "index.html" ? "/" : $"/{path}", [HttpMethods.Get, HttpMethods.Head], context => WriteAsync(context, assembly, name)).AllowAnonymous();
        }
    }

    private static async Task WriteAsync(HttpContext context, Assembly assembly, string name)
    {
        await using var file = assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The embedded file {name} is gone.");
        context.Response.ContentType = MediaTypes.GetValueOrDefault(Path.GetExtension(name), "application/octet-stream");
        context.Response.ContentLength = file.Length;
        context.Response.Headers.ContentSecurityPolicy = Policy;
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.Headers.CacheControl = "no-cache";
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await file.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
    }
}
