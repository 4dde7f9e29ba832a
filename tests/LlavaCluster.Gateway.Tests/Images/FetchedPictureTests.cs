using System.Net;
using System.Net.Http.Json;
using CsCheck;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Images;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Pictures;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace LlavaCluster.Gateway.Tests.Images;

/// <summary>Pictures by URL, from a real https server that stands for the internet.</summary>
public sealed class FetchedPictureTests
{
    private const string Url = "https://pictures.example/a.png";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Chat_WithAnHttpsUrl_FetchesAndStoresThePicture()
    {
        await using var host = await PictureHost.StartAsync(context => context.Response.Body.WriteAsync(TestImages.Png()).AsTask());
        await using var server = await GatewayServer.StartAsync(
            options => options.Images.AllowUrls = true, services: services => services.AddSingleton(provider => host.Fetcher(provider.GetRequiredService<ImageLimits>())));
        using var http = server.Http();
        object[] content = [new { type = "image_url", image_url = new { url = Url } }, new { type = "text", text = "What is it?" }];
        using var response = await http.PostAsJsonAsync("/v1/chat/completions", new { model = "llava-test", messages = new[] { new { role = "user", content } } }, Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(ImageId.Of(TestImages.Png()), server.Script.Last.Messages[0].Parts[0].Image);
        Assert.Equal(["pictures.example"], host.Lookups);
    }

    [Fact]
    public async Task Fetch_Redirected_ChecksEveryNameAnew()
    {
        await using var host = await PictureHost.StartAsync(context => context.Request.Path == "/a.png"
            ? Redirect(context, "https://other.example/b.png")
            : context.Response.Body.WriteAsync(TestImages.Png()).AsTask());
        using var fetcher = host.Fetcher(new ImageLimits { AllowUrls = true });
        var fetched = await fetcher.FetchAsync(Url, "image_url", Cancel);
        Assert.Equal(TestImages.Png(), fetched.Value);
        Assert.Equal(["pictures.example", "other.example"], host.Lookups);
    }

    [Theory]
    [InlineData("http://pictures.example/a.png", "image_url must be an https URL on port 443 without a user name.")]
    [InlineData("https://pictures.example:22/a.png", "image_url must be an https URL on port 443 without a user name.")]
    [InlineData("https://elsewhere.example/a.png", "image_url must be on a host that this server's operator allows.")]
    [InlineData("/again", "image_url must lead to a picture within 3 redirects.")]
    public async Task Fetch_RedirectedToWhatIsRefused_IsRefused(string location, string message)
    {
        await using var host = await PictureHost.StartAsync(context => Redirect(context, location));
        using var fetcher = host.Fetcher(new ImageLimits { AllowUrls = true, UrlHosts = { "pictures.example" } });
        Assert.Equal(message, (await fetcher.FetchAsync(Url, "image_url", Cancel)).Failure!.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Fetch_OfTooManyBytes_StopsAtTheBound(bool declared)
    {
        await using var host = await PictureHost.StartAsync(async context =>
        {
            context.Response.ContentLength = declared ? 1001 : null;
            await context.Response.Body.WriteAsync(new byte[1001]);
        });
        using var fetcher = host.Fetcher(new ImageLimits { AllowUrls = true, File = new HeaderLimits { MaxBytes = 1000 } });
        Assert.Equal("image_url must be at most 1000 bytes.", (await fetcher.FetchAsync(Url, "image_url", Cancel)).Failure!.Message);
    }

    [Fact]
    public async Task Fetch_OfAnotherStatus_NamesIt()
    {
        await using var host = await PictureHost.StartAsync(context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        using var fetcher = host.Fetcher(new ImageLimits { AllowUrls = true });
        Assert.Equal("image_url must be answered with status 200; was 404.", (await fetcher.FetchAsync(Url, "image_url", Cancel)).Failure!.Message);
    }

    [Fact]
    public async Task Fetch_ThatStalls_EndsInTime()
    {
        await using var host = await PictureHost.StartAsync(async context =>
        {
            await context.Response.StartAsync(context.RequestAborted);
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var fetcher = host.Fetcher(new ImageLimits { AllowUrls = true, UrlTimeout = TimeSpan.FromMilliseconds(300) });
        Assert.Equal("image_url must be answered within 0.3 s.", (await fetcher.FetchAsync(Url, "image_url", Cancel)).Failure!.Message);
    }

    [Fact]
    public async Task Fetch_OfAWrongCertificate_IsRefused()
    {
        await using var host = await PictureHost.StartAsync(context => context.Response.Body.WriteAsync(TestImages.Png()).AsTask());
        using var fetcher = new ImageFetcher(new ImageLimits { AllowUrls = true }, host);
        Assert.Equal("image_url could not be fetched.", (await fetcher.FetchAsync(Url, "image_url", Cancel)).Failure!.Message);
    }

    [Fact]
    public Task Fetch_OfAnyHost_FailsWithoutAnException() => Gen.OneOf(Gen.String[0, 12], Gen.String[Gen.Char[".-xn0[]:%@é\u2100\u3002\u00ad\ud800"], 0, 70]).SampleAsync(
        async text =>
        {
            using var fetcher = new ImageFetcher(new ImageLimits { AllowUrls = true }, new NoEgress());
            Assert.StartsWith("image_url ", (await fetcher.FetchAsync($"https://{text}/a.png", "image_url", Cancel)).Failure!.Message, StringComparison.Ordinal);
        },
        iter: 1000);

    [Fact]
    public async Task Fetch_OfAHostThatNoDomainNameCanBe_IsRefused()
    {
        using var fetcher = new ImageFetcher(new ImageLimits { AllowUrls = true }, new NoEgress());
        Assert.StartsWith("image_url must ", (await fetcher.FetchAsync("https://\u00ad.x-\ud800/a.png", "image_url", Cancel)).Failure!.Message, StringComparison.Ordinal);
    }

    private static Task Redirect(HttpContext context, string location)
    {
        context.Response.Redirect(location);
        return Task.CompletedTask;
    }

    private sealed class NoEgress : IEgress
    {
        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) => Task.FromResult<IPAddress[]>([]);

        public Task<Stream> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken) => Task.FromException<Stream>(new IOException("No network in tests."));
    }
}
