using System.Net;
using LlavaCluster.Gateway.Images;

namespace LlavaCluster.Gateway.Tests.Images;

/// <summary>That a picture's URL is no door into the server's own network. No test reaches a network: the egress refuses and counts.</summary>
public sealed class ImageFetcherTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.1.2.3")]
    [InlineData("169.254.169.254")]
    [InlineData("100.64.0.1")]
    [InlineData("192.168.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("fe80::1")]
    [InlineData("fd00::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("8.8.8.8,10.0.0.1")]
    public async Task Fetch_OfANameWithAnAddressThatIsNotPublic_NeverConnects(string addresses)
    {
        var egress = new CountingEgress([.. addresses.Split(',').Select(IPAddress.Parse)]);
        using var fetcher = new ImageFetcher(new ImageLimits { AllowUrls = true }, egress);
        var fetched = await fetcher.FetchAsync("https://pictures.example/a.png", "image_url", Cancel);
        Assert.Equal("image_url could not be fetched.", fetched.Failure!.Message);
        Assert.Equal((1, 0), (egress.Lookups, egress.Connections.Count));
    }

    [Fact]
    public async Task Fetch_OfAPublicName_ConnectsToTheAddressThatWasChecked()
    {
        var egress = new CountingEgress([IPAddress.Parse("8.8.8.8")]);
        using var fetcher = new ImageFetcher(new ImageLimits { AllowUrls = true }, egress);
        await fetcher.FetchAsync("https://pictures.example/a.png", "image_url", Cancel);
        Assert.Equal(1, egress.Lookups);
        Assert.Equal(new IPEndPoint(IPAddress.Parse("8.8.8.8"), 443), Assert.Single(egress.Connections));
    }

    [Theory]
    [InlineData("http://pictures.example/a.png")]
    [InlineData("https://pictures.example:8443/a.png")]
    [InlineData("https://user@pictures.example/a.png")]
    [InlineData("file:///etc/passwd")]
    public async Task Fetch_OfAnotherKindOfUrl_IsRefusedBeforeAnyLookup(string url)
    {
        var egress = new CountingEgress([IPAddress.Parse("8.8.8.8")]);
        using var fetcher = new ImageFetcher(new ImageLimits { AllowUrls = true }, egress);
        var fetched = await fetcher.FetchAsync(url, "image_url", Cancel);
        Assert.Equal("image_url must be an https URL on port 443 without a user name.", fetched.Failure!.Message);
        Assert.Equal((0, 0), (egress.Lookups, egress.Connections.Count));
    }

    private sealed class CountingEgress(IPAddress[] addresses) : IEgress
    {
        public int Lookups { get; private set; }

        public List<IPEndPoint> Connections { get; } = [];

        public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
        {
            Lookups++;
            return Task.FromResult(addresses);
        }

        public Task<Stream> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
        {
            Connections.Add(endPoint);
            return Task.FromException<Stream>(new IOException("No network in tests."));
        }
    }
}
