using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Tenants;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Storage.Objects;
using Microsoft.Extensions.DependencyInjection;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>/v1/files, of training files beside pictures.</summary>
public sealed class FilesTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private WatchedObjects _objects = null!;
    private Api _api = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync(options => options.Training.MaxFileBytes = 100_000, services: services =>
        {
            var inner = (IObjectStore)services.Last(service => service.ServiceType == typeof(IObjectStore)).ImplementationInstance!;
            services.AddSingleton<IObjectStore>(_objects = new WatchedObjects(inner));
        });
        _api = Api.Of(_server.Address);
    }

    public async ValueTask DisposeAsync()
    {
        _api.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Upload_IsThereUntilItIsDeleted(bool purposeLast)
    {
        var made = await _api.UploadAsync(Api.Conversations, "fine-tune", HttpStatusCode.OK, "chats.json", purposeLast);
        var id = (string)made["id"]!;
        Assert.Equal(($"file-{ObjectId.Of(Api.Conversations)}", "chats.json", "fine-tune", Api.Conversations.Length, "file", "processed"), (id, (string)made["filename"]!, (string)made["purpose"]!, (int)made["bytes"]!, (string)made["object"]!, (string)made["status"]!));

        Assert.Equal(made.ToJsonString(), (await _api.GetAsync($"/v1/files/{id}")).ToJsonString());
        Assert.Equal(Api.Conversations, await _api.BytesAsync($"/v1/files/{id}/content"));
        Assert.Equal($$"""{"id":"{{id}}","object":"file","deleted":true}""", (await _api.DeleteAsync($"/v1/files/{id}")).ToJsonString());
        await _api.GetAsync($"/v1/files/{id}", HttpStatusCode.NotFound);
        await _api.GetAsync($"/v1/files/{id}/content", HttpStatusCode.NotFound);
        await _api.DeleteAsync($"/v1/files/{id}", HttpStatusCode.NotFound);
        Assert.Equal(0, (await TotalsAsync()).Count);
    }

    [Theory]
    [InlineData("fine-tune", false, "a,b\n", "file must be a JSON array ('['), JSON lines ('{') or a zip ('PK'); it begins with 612C620A.")]
    [InlineData("fine-tune", false, "", "file must not be empty.")]
    [InlineData("fine-tune", false, "[1,", "file must be JSON of at most 64 levels; it is not, at line 1, byte 2.")]
    [InlineData("vision", false, "[]", "file must be a PNG, JPEG, WebP, GIF or BMP file.")]
    [InlineData("vision", true, "[]", "file must be a PNG, JPEG, WebP, GIF or BMP file.")]
    [InlineData(null, false, "[]", "file must be a PNG, JPEG, WebP, GIF or BMP file.")]
    [InlineData("assistants", false, "[]", "purpose must be vision or fine-tune; was \"assistants\".")]
    [InlineData("assistants", true, "[]", "purpose must be vision or fine-tune; was \"assistants\".")]
    public async Task Upload_OfSomethingElse_NamesTheProblemAndKeepsNothing(string? purpose, bool purposeLast, string content, string message)
    {
        var error = await _api.UploadAsync(Encoding.UTF8.GetBytes(content), purpose, HttpStatusCode.BadRequest, purposeLast: purposeLast);
        Assert.Equal(message, (string)error["error"]!["message"]!);
        Assert.Equal(0, (await TotalsAsync()).Count);
        Assert.Empty((await _api.GetAsync("/v1/files"))["data"]!.AsArray());
    }

    [Theory]
    [InlineData("\r\n--x\r\ncontent-disposition: form-data; name=purpose\r\n\r\nfine-tune", "The body must be well-formed multipart/form-data.")]
    [InlineData("\r\n--x\r\ncontent-disposition: form-data; name=file; filename=b\r\n\r\n[1]\r\n--x--", "file must be one file; there are more.")]
    [InlineData("\r\n--x\r\ncontent-type: text/plain\r\n\r\n\r\n--x--", "The body must be well-formed multipart/form-data.")]
    public async Task Upload_ThatBreaksAfterItsFile_KeepsNothing(string rest, string message)
    {
        const string Begin = "--x\r\ncontent-disposition: form-data; name=file; filename=a\r\n\r\n[]";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/files") { Content = new ByteArrayContent(Encoding.ASCII.GetBytes(Begin + rest)) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=x");
        using var response = await _api.RawAsync(request);
        Assert.Equal((HttpStatusCode.BadRequest, message), (response.StatusCode, (string)JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancel))!["error"]!["message"]!));
        Assert.Equal(0, (await TotalsAsync()).Count);
    }

    [Fact]
    public async Task Upload_OfAPictureToTrainOn_IsRefused()
    {
        var error = await _api.UploadAsync(TestImages.Png(), "fine-tune", HttpStatusCode.BadRequest, purposeLast: true);
        Assert.Equal("file must be a JSON array, JSON lines or a zip; it is a picture.", (string)error["error"]!["message"]!);
    }

    [Fact]
    public async Task Upload_OfAsManyBytesAsAllowed_IsTaken_AndOneMoreIsNot()
    {
        await _api.UploadAsync(Padded(100_000), "fine-tune", HttpStatusCode.OK);
        var error = await _api.UploadAsync(Padded(100_001), "fine-tune", HttpStatusCode.BadRequest);
        Assert.Equal("file must be at most 100000 bytes; was 100001 or more.", (string)error["error"]!["message"]!);
        var tooLarge = await _api.UploadAsync(Padded(1_200_000), "fine-tune", HttpStatusCode.RequestEntityTooLarge);
        Assert.StartsWith($"The body must be at most {100_000 + (1 << 20)} bytes; was ", (string)tooLarge["error"]!["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upload_OfMoreThanABodyMayHave_IsStreamed()
    {
        await using var server = await GatewayServer.StartAsync();
        using var api = Api.Of(server.Address);
        var content = Padded(40 << 20);
        var made = await api.UploadAsync(content, "fine-tune", HttpStatusCode.OK);
        Assert.Equal($"file-{Convert.ToHexStringLower(SHA256.HashData(content))}", (string)made["id"]!);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Uploads_OfTheSameContentOfWhichOneFails_LeaveTheOtherWhole(bool failsLast)
    {
        var (failing, going) = (new HeldForm(Api.Conversations, "nonsense"), new HeldForm(Api.Conversations, "fine-tune"));
        using var http = _server.Http();
        var (failed, made) = (http.PostAsync("/v1/files", failing, Cancel), http.PostAsync("/v1/files", going, Cancel));
        await Task.WhenAll(failing.HasSentItsFile, going.HasSentItsFile);
        var id = $"file-{Convert.ToHexStringLower(SHA256.HashData(Api.Conversations))}";
        await _objects.StoredAsync(2, Cancel); // both have what they sent in the store, and neither has a name

        (failsLast ? going : failing).Finish();
        Assert.Equal(failsLast ? HttpStatusCode.OK : HttpStatusCode.BadRequest, (await (failsLast ? made : failed)).StatusCode);
        (failsLast ? failing : going).Finish();
        Assert.Equal(failsLast ? HttpStatusCode.BadRequest : HttpStatusCode.OK, (await (failsLast ? failed : made)).StatusCode);

        Assert.Equal(Api.Conversations, await _api.BytesAsync($"/v1/files/{id}/content"));
    }

    [Fact]
    public async Task Uploads_OfTheSameContentThatAllFail_LeaveNothing()
    {
        HeldForm[] forms = [new(Api.Conversations, "nonsense"), new(Api.Conversations, "nonsense")];
        using var http = _server.Http();
        var answers = forms.Select(form => http.PostAsync("/v1/files", form, Cancel)).ToArray();
        await Task.WhenAll(forms.Select(form => form.HasSentItsFile));
        Array.ForEach(forms, form => form.Finish());
        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode));
        Assert.Equal(0, (await TotalsAsync()).Count);
    }

    [Fact]
    public async Task Upload_BeyondTheQuota_IsRefusedByBoundAndValue_AndSoIsAPicture()
    {
        var tenant = _server.Grains.GetGrain<ITenantGrain>("default");
        await ((ITenantGrain)tenant).SetQuotaAsync(new TenantQuota { StorageBytes = 200 }, Cancel);
        await _api.UploadAsync(Padded(150), "fine-tune", HttpStatusCode.OK);
        var error = (await _api.UploadAsync(Padded(151), "fine-tune", HttpStatusCode.TooManyRequests))["error"]!;
        Assert.Equal(("rate_limit_exceeded", "file", "file has no room: the tenant may store 200 bytes, 150 are used, and it has 151 or more."), ((string)error["code"]!, (string)error["param"]!, (string)error["message"]!));
        var picture = TestImages.Png();
        error = (await _api.UploadAsync(picture, "vision", HttpStatusCode.TooManyRequests))["error"]!;
        Assert.Equal($"file has no room: the tenant may store 200 bytes, 150 are used, and it has {picture.Length} or more.", (string)error["message"]!);
        Assert.Equal(1, (await TotalsAsync()).Count);
    }

    [Fact]
    public async Task List_HasPurposesPagesAndOrders()
    {
        var ids = new List<string>();
        for (var number = 0; number < 5; number++)
        {
            ids.Add(await _api.UploadAsync(Encoding.UTF8.GetBytes($"[{number}]")));
        }

        var picture = (string)(await _api.UploadAsync(TestImages.Png(), "vision", HttpStatusCode.OK))["id"]!;
        Assert.Equal([picture], Ids(await _api.GetAsync("/v1/files?purpose=vision")));
        var first = await _api.GetAsync("/v1/files?purpose=fine-tune&limit=3&order=asc");
        var second = await _api.GetAsync($"/v1/files?purpose=fine-tune&limit=3&order=asc&after={first["last_id"]}");
        Assert.Equal((true, false), ((bool)first["has_more"]!, (bool)second["has_more"]!));
        Assert.Equal(ids.Order(StringComparer.Ordinal), Ids(first).Concat(Ids(second)).Order(StringComparer.Ordinal));
        Assert.Equal(Ids(first).Concat(Ids(second)).Reverse(), Ids(await _api.GetAsync("/v1/files?purpose=fine-tune")));
    }

    [Theory]
    [InlineData("limit=0", "limit must be between 1 and 10000; was 0.")]
    [InlineData("limit=10001", "limit must be between 1 and 10000; was 10001.")]
    [InlineData("limit=x", "limit must be between 1 and 10000; was x.")]
    [InlineData("order=up", "order must be asc or desc; was \"up\".")]
    [InlineData("after=file-1", "after must be a file's id.")]
    public async Task List_WithABadField_NamesIt(string query, string message) =>
        Assert.Equal(message, (string)(await _api.GetAsync($"/v1/files?{query}", HttpStatusCode.BadRequest))["error"]!["message"]!);

    [Fact]
    public async Task AFile_IsItsTenantsAlone()
    {
        using var other = Api.Of(_server.Address, await Api.KeyAsync(_server.Grains, "other", "chat", "train"));
        var id = await _api.UploadAsync();
        await other.GetAsync($"/v1/files/{id}", HttpStatusCode.NotFound);
        await other.GetAsync($"/v1/files/{id}/content", HttpStatusCode.NotFound);
        await other.DeleteAsync($"/v1/files/{id}", HttpStatusCode.NotFound);
        Assert.Empty((await other.GetAsync("/v1/files"))["data"]!.AsArray());
        await _api.GetAsync($"/v1/files/{id}");
    }

    [Fact]
    public async Task AChatKey_SeesPicturesAndNothingThatTrains()
    {
        using var trainer = Api.Of(_server.Address, await Api.KeyAsync(_server.Grains, "acme", "train"));
        using var chat = Api.Of(_server.Address, await Api.KeyAsync(_server.Grains, "acme", "chat"));
        var id = await trainer.UploadAsync();
        var picture = (string)(await chat.UploadAsync(TestImages.Png(), null, HttpStatusCode.OK))["id"]!;
        var store = _server.Services.GetRequiredService<IObjectStore>();
        var checkpoint = ObjectId.Of("state"u8);
        await store.PutAsync(TenantId.Parse("acme"), checkpoint, "state"u8.ToArray(), Cancel);

        Assert.Equal("insufficient_scope", (string)(await chat.UploadAsync(Api.Conversations, "fine-tune", HttpStatusCode.Forbidden))["error"]!["code"]!);
        await chat.UploadAsync(Api.Conversations, "fine-tune", HttpStatusCode.BadRequest, purposeLast: true);
        await chat.GetAsync($"/v1/files/{id}", HttpStatusCode.NotFound);
        await chat.DeleteAsync($"/v1/files/{id}", HttpStatusCode.NotFound);
        await chat.DeleteAsync($"/v1/files/file-{checkpoint}", HttpStatusCode.NotFound);
        await chat.GetAsync($"/v1/files/file-{checkpoint}/content", HttpStatusCode.NotFound);
        Assert.Equal([picture], Ids(await chat.GetAsync("/v1/files")));
        Assert.Empty((await chat.GetAsync("/v1/files?purpose=fine-tune"))["data"]!.AsArray());
        Assert.Equal(2, Ids(await trainer.GetAsync("/v1/files")).Count());
        Assert.Equal(Api.Conversations, await trainer.BytesAsync($"/v1/files/{id}/content"));
    }

    private static byte[] Padded(int length)
    {
        var file = new byte[length];
        Array.Fill(file, (byte)' ');
        (file[0], file[^1]) = ((byte)'[', (byte)']');
        return file;
    }

    private static IEnumerable<string> Ids(System.Text.Json.Nodes.JsonNode page) => page["data"]!.AsArray().Select(file => (string)file!["id"]!);

    private Task<ObjectTotals> TotalsAsync() => _server.Services.GetRequiredService<IObjectStore>().TotalsAsync(TenantId.Default, Cancel);
}
