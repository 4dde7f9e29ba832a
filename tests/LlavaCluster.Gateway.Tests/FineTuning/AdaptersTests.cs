using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Storage.Objects;
using Microsoft.Extensions.DependencyInjection;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>/v1/adapters and the adapters in /v1/models, over the real grains.</summary>
public sealed class AdaptersTests(FrontFixture fixture) : IClassFixture<FrontFixture>
{
    private static readonly string First = ObjectId.Of(TestAdapters.File(1)).Value, Second = ObjectId.Of(TestAdapters.File(2)).Value;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Import_MakesAModelOfTheTenant_UntilItIsDeleted()
    {
        using var api = await fixture.ApiAsync("importer");
        var made = await ImportAsync(api, TestAdapters.File(1));
        Assert.Equal(("formal", "llava-test", "llava-test:formal", First, null), ((string)made["name"]!, (string)made["model"]!, (string)made["id"]!, (string)made["in_use"]!, (string?)made["on_trial"]));
        Assert.Null((string?)made["versions"]![0]!["job"]);
        Assert.Equal(made.ToJsonString(), (await api.GetAsync("/v1/adapters"))["data"]![0]!.ToJsonString());
        Assert.Equal(TestAdapters.File(1), await api.BytesAsync($"/v1/adapters/formal/versions/{First}/content"));

        var models = (await api.GetAsync("/v1/models"))["data"]!.AsArray();
        Assert.Equal([("llava-test", "llava"), ("llava-test:formal", "importer")], models.Select(model => ((string)model!["id"]!, (string)model["owned_by"]!)));
        Assert.Equal("importer", (string)(await api.GetAsync("/v1/models/llava-test:formal"))["owned_by"]!);
        await api.GetAsync("/v1/models/llava-test:other", HttpStatusCode.NotFound);
        Assert.Equal("model must be an adapter, base:name; was the base llava-test.", Message(await api.DeleteAsync("/v1/models/llava-test", HttpStatusCode.BadRequest)));

        Assert.Equal("""{"id":"llava-test:formal","object":"model","deleted":true}""", (await api.DeleteAsync("/v1/models/llava-test:formal")).ToJsonString());
        await api.DeleteAsync("/v1/models/llava-test:formal", HttpStatusCode.NotFound);
        Assert.Empty((await api.GetAsync("/v1/adapters"))["data"]!.AsArray());
        Assert.Equal(0, (await TotalsAsync("importer")).Count);
    }

    [Fact]
    public async Task Traffic_GoesToATrial_ToUse_AndBack()
    {
        using var api = await fixture.ApiAsync("router");
        await ImportAsync(api, TestAdapters.File(1));
        var trial = await ImportAsync(api, TestAdapters.File(2), share: "0.25");
        Assert.Equal((First, Second, 0.25, 2), ((string)trial["in_use"]!, (string)trial["on_trial"]!, (double)trial["trial_share"]!, trial["versions"]!.AsArray().Count));
        var used = await RouteAsync(api, Second, 1);
        Assert.Equal((Second, null), ((string)used["in_use"]!, (string?)used["on_trial"]));
        var back = await api.PostAsync("/v1/adapters/formal/rollback");
        Assert.Equal((First, Second), ((string)back["in_use"]!, (string)back["on_trial"]!));
        Assert.Equal((First, null), (await api.PostAsync("/v1/adapters/formal/rollback") is var further ? ((string)further["in_use"]!, (string?)further["on_trial"]) : default));
        Assert.Equal("The traffic of \"formal\" has not changed yet; there is nothing to roll back to.", Message(await api.PostAsync("/v1/adapters/formal/rollback", status: HttpStatusCode.Conflict)));
    }

    [Theory]
    [InlineData("""{"share":1}""", "version is required and must not be empty.", 400)]
    [InlineData("""{"version":"x","share":1}""", "version must be a version's id, 64 lower-case hexadecimal digits.", 400)]
    [InlineData("""{"version":"{first}"}""", "share is required and must be between 0 and 1.", 400)]
    [InlineData("""{"version":"{first}","share":1.5}""", "share must be between 0 and 1; was 1.5.", 400)]
    [InlineData("""{"version":"{first}","share":"all"}""", "share must be a number; was a string.", 400)]
    [InlineData("[]", "body must be an object; was an array.", 400)]
    [InlineData("""{"version":"{first}","share":1}""", "There is no adapter \"formal\".", 404)]
    public async Task Traffic_ThatIsBad_IsNamed(string body, string message, int status)
    {
        using var api = await fixture.ApiAsync("nobody");
        var refused = await api.PostAsync("/v1/adapters/formal/traffic", JsonNode.Parse(body.Replace("{first}", First, StringComparison.Ordinal)), (HttpStatusCode)status);
        Assert.Equal(message, Message(refused));
    }

    [Theory]
    [InlineData("name", null, "name is required and must not be empty.", 400)]
    [InlineData("name", "For Mal", "name must be 1 to 64 of a-z, 0-9, '-', '_'; was \"For Mal\".", 400)]
    [InlineData("model", null, "model is required and must not be empty.", 400)]
    [InlineData("model", "other", "model must be a base of those in /v1/models; was \"other\".", 404)]
    [InlineData("share", "2", "share must be between 0 and 1; was 2.", 400)]
    [InlineData("share", "NaN", "share must be between 0 and 1; was NaN.", 400)]
    [InlineData("share", "all", "share must be a number between 0 and 1; was \"all\".", 400)]
    [InlineData("file", null, "file is required.", 400)]
    public async Task Import_WithABadField_NamesItAndKeepsNothing(string field, string? value, string message, int status)
    {
        using var api = await fixture.ApiAsync("careless");
        foreach (var fieldsLast in (bool[])[false, true])
        {
            using var form = new MultipartFormDataContent();
            var fields = new Dictionary<string, string?> { ["name"] = "formal", ["model"] = "llava-test", ["share"] = "1" };
            fields[field] = value;
            if (fieldsLast && field != "file")
            {
                form.Add(new ByteArrayContent(TestAdapters.File(1)), "file", "a.safetensors");
            }

            foreach (var (name, text) in fields.Where(given => given.Value is not null))
            {
                form.Add(new StringContent(text!), name);
            }

            if (!fieldsLast && field != "file")
            {
                form.Add(new ByteArrayContent(TestAdapters.File(1)), "file", "a.safetensors");
            }

            Assert.Equal(message, Message(await api.PostFormAsync("/v1/adapters", form, (HttpStatusCode)status)));
        }

        Assert.Equal(0, (await TotalsAsync("careless")).Count);
    }

    public static TheoryData<byte[], string> NoAdapters => new()
    {
        { [], "must be a safetensors file, whose first 8 bytes are the length of its header, 1 to 16777216." },
        { "PK\u0003\u0004 a zip"u8.ToArray(), "must be a safetensors file, whose first 8 bytes are the length of its header, 1 to 16777216." },
        { TestAdapters.File(1)[..20], "must hold its header of 133 bytes; it ends after 12." },
        { TestAdapters.File("{", 1), "must have well-formed JSON as its header and in adapter_config." },
        { TestAdapters.File("[]", 1), "must have adapter_config in its metadata, the text of PEFT's adapter_config.json." },
        { TestAdapters.File(1, null), "must have adapter_config in its metadata, the text of PEFT's adapter_config.json." },
        { TestAdapters.File(1, "3"), "must have a JSON object as adapter_config." },
        { TestAdapters.File(1, "{"), "must have well-formed JSON as its header and in adapter_config." },
        { [.. TestAdapters.File(1), .. new byte[10_000]], "must be at most 10000 bytes; was 10142 or more." },
    };

    [Theory]
    [MemberData(nameof(NoAdapters))]
    public async Task Import_OfNoAdapter_NamesTheProblemAndKeepsNothing(byte[] file, string rule)
    {
        using var api = await fixture.ApiAsync("hopeful");
        Assert.Equal($"file {rule}", Message(await ImportAsync(api, file, status: HttpStatusCode.BadRequest)));
        Assert.Equal(0, (await TotalsAsync("hopeful")).Count);
    }

    [Fact]
    public async Task Import_OfAnAdapterThatDoesNotFitItsBase_IsRefusedAndKeepsNothing()
    {
        using var api = await fixture.ApiAsync("misfit");
        var file = TestAdapters.File(FakeFit.Misfit);
        var error = (await ImportAsync(api, file, status: HttpStatusCode.BadRequest))["error"]!;
        Assert.Equal(("file", $"The adapter {ObjectId.Of(file)} cannot be used with this model: it: tensor 'a' must have shape [2]."), ((string)error["param"]!, (string)error["message"]!));
        Assert.Empty((await api.GetAsync("/v1/adapters"))["data"]!.AsArray());
        Assert.Equal(0, (await TotalsAsync("misfit")).Count);
    }

    [Fact]
    public async Task Import_ThatBreaksAfterItsFile_KeepsNothing()
    {
        using var api = await fixture.ApiAsync("cut-off");
        using var form = new MultipartFormDataContent { { new ByteArrayContent(TestAdapters.File(1)), "file", "a.safetensors" }, { new StringContent(new string('x', 20_000)), "name" } };
        Assert.Equal("name must be UTF-8 of at most 16384 bytes.", Message(await api.PostFormAsync("/v1/adapters", form, HttpStatusCode.BadRequest)));
        Assert.Equal(0, (await TotalsAsync("cut-off")).Count);
    }

    [Fact]
    public async Task AnAdapter_IsItsTenantsAlone()
    {
        using var api = await fixture.ApiAsync("owner");
        using var other = await fixture.ApiAsync("stranger");
        await ImportAsync(api, TestAdapters.File(1));
        Assert.Empty((await other.GetAsync("/v1/adapters"))["data"]!.AsArray());
        Assert.Single((await other.GetAsync("/v1/models"))["data"]!.AsArray());
        await other.GetAsync("/v1/models/llava-test:formal", HttpStatusCode.NotFound);
        await other.DeleteAsync("/v1/models/llava-test:formal", HttpStatusCode.NotFound);
        await other.GetAsync($"/v1/adapters/formal/versions/{First}/content", HttpStatusCode.NotFound);
        await other.PostAsync("/v1/adapters/formal/rollback", status: HttpStatusCode.NotFound);
        await other.PostAsync("/v1/adapters/formal/traffic", new JsonObject { ["version"] = First, ["share"] = 1 }, HttpStatusCode.NotFound);
        // Nor do its bytes show as a file, whoever asks.
        await api.GetAsync($"/v1/files/file-{First}/content", HttpStatusCode.NotFound);
        await api.GetAsync("/v1/adapters/formal/versions/x/content", HttpStatusCode.NotFound);
    }

    private static string Message(JsonNode body) => (string)body["error"]!["message"]!;

    private static Task<JsonNode> RouteAsync(Api api, string version, double share) => api.PostAsync("/v1/adapters/formal/traffic", new JsonObject { ["version"] = version, ["share"] = share });

    private static async Task<JsonNode> ImportAsync(Api api, byte[] file, string? share = null, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var form = new MultipartFormDataContent { { new StringContent("formal"), "name" }, { new StringContent("llava-test"), "model" } };
        if (share is not null)
        {
            form.Add(new StringContent(share.ToString(CultureInfo.InvariantCulture)), "share");
        }

        form.Add(new ByteArrayContent(file), "file", "adapter.safetensors");
        return await api.PostFormAsync("/v1/adapters", form, status);
    }

    private Task<ObjectTotals> TotalsAsync(string tenant) => fixture.Front.Services.GetRequiredService<IObjectStore>().TotalsAsync(TenantId.Parse(tenant), Cancel);
}
