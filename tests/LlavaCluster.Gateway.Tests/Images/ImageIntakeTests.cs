using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Images;

/// <summary>Bad pictures at the API: refused with 400 by their headers, before anything is stored or a turn begins.</summary>
public sealed class ImageIntakeTests : IAsyncLifetime
{
    private const int MiB = 1 << 20;

    private GatewayServer _server = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<byte[], string> Bad => new()
    {
        { TestImages.Png(30_000, 30_000), "must have sides of at most 8192 pixels; was 30000x30000." },
        { TestImages.Png(8_000, 8_000), "must have at most 25000000 pixels; was 8000x8000." },
        { TestImages.Png()[..50], "must be a whole PNG file; its data ends too early." },
        { TestImages.Jpeg()[..^2], "must be a whole JPEG file; its data ends too early." },
        { TestImages.Jpeg(scans: 3000), "must have at most 99 scans; was 3000." },
        { TestImages.Png(0, 3), "must be a whole PNG file; its size is zero." },
        { [], "must be a PNG, JPEG, WebP, GIF or BMP file." },
        { "%PDF-1.7 and so on"u8.ToArray(), "must be a PNG, JPEG, WebP, GIF or BMP file." },
    };

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        // Waits for the server's word before it sends a body, however slow the machine; the default is a second.
        _http = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = Timeout.InfiniteTimeSpan }) { BaseAddress = _server.Address };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task Chat_WithABadPicture_IsRefusedByFieldBoundAndValue(byte[] file, string rule)
    {
        object[] content = [new { type = "text", text = "What is this?" }, new { type = "image_url", image_url = new { url = TestImages.DataUrl(file) } }];

        using var response = await _http.PostAsJsonAsync("/v1/chat/completions", new { model = "llava-test", messages = new[] { new { role = "user", content } } }, Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("messages[0].content[1].image_url.url " + rule, await MessageAsync(response));
        Assert.Empty(_server.Script.Begun);
    }

    [Theory]
    [InlineData(20 * MiB)]
    [InlineData(25 * MiB)]
    public async Task Upload_OfTooManyBytes_IsRefusedByBoundAndValue(int length)
    {
        using var response = await UploadAsync(Padded(length + 1));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal($"file must be at most 20971520 bytes; was {length + 1}.", await MessageAsync(response));
    }

    [Fact]
    public async Task Upload_OfAsManyBytesAsAllowed_IsTaken()
    {
        using var response = await UploadAsync(Padded(20 * MiB));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Upload_OfFiftyMegabytes_IsRefusedUnread()
    {
        using var response = await UploadAsync(Padded(50_000_000));

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains("33554432", await MessageAsync(response), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_WithUploadedPictures_CountsTheirPixelsInTheRequestsBound()
    {
        await using var server = await GatewayServer.StartAsync(options => options.Images.MaxPixelsPerRequest = 20);
        using var http = server.Http();
        using var form = new MultipartFormDataContent { { new ByteArrayContent(TestImages.Png()), "file", "picture.png" } };
        using var uploaded = await http.PostAsync("/v1/files", form, Cancel);
        using var file = JsonDocument.Parse(await uploaded.Content.ReadAsByteArrayAsync(Cancel));
        var picture = new { type = "image_id", image_id = file.RootElement.GetProperty("id").GetString() };
        object[] once = [picture], twice = [picture, picture];

        using var taken = await http.PostAsJsonAsync("/v1/chat/completions", new { model = "llava-test", messages = new[] { new { role = "user", content = once } } }, Cancel);
        using var refused = await http.PostAsJsonAsync("/v1/chat/completions", new { model = "llava-test", messages = new[] { new { role = "user", content = twice } } }, Cancel);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest), (taken.StatusCode, refused.StatusCode));
        Assert.Equal("messages must hold pictures of at most 20 pixels together; was 24 up to messages[0].content[1].image_id.", await MessageAsync(refused));
        Assert.Single(server.Script.Begun);
    }

    [Fact]
    public async Task Delete_OfAnUploadedPicture_RemovesItOnce()
    {
        using var uploaded = await UploadAsync(TestImages.Png());
        using var file = JsonDocument.Parse(await uploaded.Content.ReadAsByteArrayAsync(Cancel));
        var path = $"/v1/files/{file.RootElement.GetProperty("id").GetString()}";
        using var deleted = await _http.DeleteAsync(path, Cancel);
        Assert.Equal($$"""{"id":"{{path[10..]}}","object":"file","deleted":true}""", await deleted.Content.ReadAsStringAsync(Cancel));
        using var content = await _http.GetAsync($"{path}/content", Cancel);
        using var again = await _http.DeleteAsync(path, Cancel);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.NotFound), (deleted.StatusCode, content.StatusCode, again.StatusCode));
    }

    // What follows a picture's end does not count, but its bytes do.
    private static byte[] Padded(int length)
    {
        var file = new byte[length];
        TestImages.Png().CopyTo(file, 0);
        return file;
    }

    private async Task<HttpResponseMessage> UploadAsync(byte[] file)
    {
        using var form = new MultipartFormDataContent { { new StringContent("vision"), "purpose" }, { new ByteArrayContent(file), "file", "picture.png" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/files") { Content = form };
        // Lets the server answer before the body is sent.
        request.Headers.ExpectContinue = true;
        return await _http.SendAsync(request, Cancel);
    }

    private static async Task<string> MessageAsync(HttpResponseMessage response)
    {
        using var body = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(Cancel));
        return body.RootElement.GetProperty("error").GetProperty("message").GetString()!;
    }
}
