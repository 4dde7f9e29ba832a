using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Browser;

public sealed class OpenAiNodeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task OpenAiPackage_ChatsStreamsRespondsAndReadsErrors()
    {
        await using var server = await GatewayServer.StartAsync();
        var png = TestImages.Png();
        var printed = await NodeTools.RunAsync("openai.mjs", [server.Address.AbsoluteUri.TrimEnd('/'), TestImages.DataUrl(png)], Cancel);
        var step = JsonDocument.Parse(printed).RootElement;
        Assert.Equal("""["A red apple.","stop",23]""", step.GetProperty("whole").GetRawText());
        Assert.Equal("""["A ","red ","apple."]""", step.GetProperty("pieces").GetRawText());
        Assert.Equal("""[[0,"A red apple.",1],[1,"A red apple.",1]]""", step.GetProperty("several").GetRawText());
        Assert.Equal("""["A red apple.","A red apple."]""", step.GetProperty("interleaved").GetRawText());
        Assert.Equal("[[0,23]]", step.GetProperty("usage").GetRawText());
        Assert.Equal("[true,4]", step.GetProperty("conversation").GetRawText());
        Assert.Equal("""["llava-test"]""", step.GetProperty("models").GetRawText());
        Assert.Equal("""["completed","A red apple."]""", step.GetProperty("response").GetRawText());
        Assert.Equal("""["BadRequestError",400,"temperature","invalid_request"]""", step.GetProperty("error").GetRawText());
        var asked = server.Script.Begun.First();
        Assert.Equal((ImageId.Of(png), ConstraintKind.JsonSchema), (asked.Messages[0].Parts[1].Image!.Value, asked.Options.Constraint!.Kind));
    }

    [Fact]
    public async Task OpenAiPackage_FineTunes()
    {
        await using var front = await RealFront.StartAsync();
        var step = JsonDocument.Parse(await NodeTools.RunAsync("tuning.mjs", [front.Address.AbsoluteUri.TrimEnd('/')], Cancel)).RootElement;
        Assert.Equal("""["chats.jsonl","fine-tune",30]""", step.GetProperty("file").GetRawText());
        Assert.Equal("{\"id\":\"1\",\"conversations\":[]}\n", step.GetProperty("content").GetString());
        Assert.Equal("[true]", step.GetProperty("files").GetRawText());
        Assert.Equal("""["fine_tuning.job","queued","llava-test",7,"a",2]""", step.GetProperty("job").GetRawText());
        Assert.Equal("[true]", step.GetProperty("jobs").GetRawText());
        Assert.Equal(("paused", "queued", "cancelled"), (step.GetProperty("paused").GetString(), step.GetProperty("resumed").GetString(), step.GetProperty("cancelled").GetString()));
        Assert.Equal(
            ["The job was cancelled.", "The job goes on.", "The job was paused."], step.GetProperty("events").EnumerateArray().Select(line => line.GetString()).Take(3));
        Assert.Equal(4, step.GetProperty("events").GetArrayLength());
        Assert.Equal(("""["ConflictError",409,"conflict"]""", 1), (step.GetProperty("ended").GetRawText(), step.GetProperty("asked").GetInt32()));
        Assert.Equal((0, true), (step.GetProperty("checkpoints").GetInt32(), step.GetProperty("deleted").GetBoolean()));
        Assert.Equal("""["NotFoundError",404,"training_file"]""", step.GetProperty("error").GetRawText());
    }
}
