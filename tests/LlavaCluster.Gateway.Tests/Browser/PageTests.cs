using System.Text.Json;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Gateway.Tests.FineTuning;

namespace LlavaCluster.Gateway.Tests.Browser;

public sealed class PageTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Set LLAVA_SCREENSHOT to a .png path to keep pictures of the page.</summary>
    [Fact]
    public async Task Page_ChatsAboutASample_Regenerates_AndSurvivesAReload()
    {
        var browser = NodeTools.Chromium();
        await using var server = await GatewayServer.StartAsync();
        server.Script.Pieces = ["There is ", "a red apple ", "on the left ", "and a yellow lemon ", "on the right."];
        var screenshot = Environment.GetEnvironmentVariable("LLAVA_SCREENSHOT") ?? "";
        var printed = await NodeTools.RunAsync("page.mjs", [server.Address.AbsoluteUri.TrimEnd('/'), browser, screenshot], Cancel);
        var step = JsonDocument.Parse(printed).RootElement;
        const string Answer = "There is a red apple on the left and a yellow lemon on the right.";
        Assert.Equal("[]", step.GetProperty("problems").GetRawText());
        Assert.Equal("Describe the picture in detail.", step.GetProperty("suggested").GetString());
        Assert.Equal((Answer, Answer), (step.GetProperty("answer").GetString(), step.GetProperty("reloaded").GetString()));
        Assert.StartsWith("conv_", step.GetProperty("conversation").GetString(), StringComparison.Ordinal);
        Assert.Equal((112, 2), (step.GetProperty("picture").GetInt32(), step.GetProperty("turns").GetInt32()));
        Assert.False(step.GetProperty("overflow").GetBoolean());
        Assert.Equal(3, server.Script.Begun.Count);
        Assert.All(server.Script.Begun, turn => Assert.False(turn.Transient));
    }

    [Fact]
    public async Task Page_ShowsJobsAsTheyLearn_AndChatsWithAnAdapter()
    {
        var browser = NodeTools.Chromium();
        await using var server = await GatewayServer.StartAsync();
        using var api = Api.Of(server.Address);
        var (learns, fails) = (await JobAsync(server, api, "formal"), await JobAsync(server, api, "broken"));
        learns.BeforeEvent = number => Tell(number == 2 ? 30 : 0);
        Tell(10);
        Tell(20);
        fails.Say("Bad data.", TrainingEventKind.Error, then: info => info with { Status = TrainingJobStatus.Failed, Reason = "Record 3 has no picture.", FinishedAt = DateTimeOffset.UnixEpoch });
        var adapters = server.Grains.Adapters.GetOrAdd("default", _ => new FakeAdapters());
        foreach (var content in (byte[][])[[1], [2]])
        {
            await adapters.PublishAsync("formal", new AdapterVersion(ObjectId.Of(content), "llava-test", DateTimeOffset.UnixEpoch, 1, null, double.NaN, 0.25), null, Cancel);
        }

        var screenshot = Environment.GetEnvironmentVariable("LLAVA_SCREENSHOT") ?? "";
        var step = JsonDocument.Parse(await NodeTools.RunAsync("page-training.mjs", [server.Address.AbsoluteUri.TrimEnd('/'), browser, screenshot], Cancel)).RootElement;
        Assert.Equal("[]", step.GetProperty("problems").GetRawText());
        Assert.Equal(("Loss 0.1000 at step 10, 0.0333 at step 30", 3), (step.GetProperty("curve").GetString(), step.GetProperty("points").GetInt32()));
        Assert.Equal(("30 / 40 steps", "Loss 0.0333, 300 tokens a second."), (step.GetProperty("figures").GetString(), step.GetProperty("told").GetString()));
        Assert.Equal(("paused", "Record 3 has no picture.", false), (step.GetProperty("paused").GetString(), step.GetProperty("reason").GetString(), step.GetProperty("overflow").GetBoolean()));
        Assert.Equal(("A red apple.", "llava-test:formal"), (step.GetProperty("answer").GetString(), server.Script.Last.Model));

        void Tell(long at)
        {
            if (at > 0)
            {
                learns.Say($"Step {at}/40", TrainingEventKind.Progress, new TrainingMetrics(at, 40, 1.0 / at, 1e-4, 1, 300, 1), info => info with { Status = TrainingJobStatus.Running, Step = at, TotalSteps = 40 });
            }
        }
    }

    [Theory]
    [InlineData(3, 4, "A red apple.", null)]
    [InlineData(int.MaxValue, 21, "A ", "The store is full.")]
    public async Task Follow_OfAnInterruptedAnswer_GoesOnOrSaysWhyNot(int interruptions, int requests, string text, string? error)
    {
        await using var server = await GatewayServer.StartAsync();
        server.Script.Interrupt = number => number == 2 && interruptions-- > 0 ? new ChatFailure(ChatFailureKind.StorageFull, "The store is full.") : null;
        var step = JsonDocument.Parse(await NodeTools.RunAsync("follow.mjs", [server.Address.AbsoluteUri], Cancel)).RootElement;
        Assert.Equal((requests, text), (step.GetProperty("requests").GetInt32(), step.GetProperty("text").GetString()));
        Assert.Equal(error, step.TryGetProperty("error", out var said) ? said.GetString() : null);
        Assert.Contains("error", step.GetProperty("types").EnumerateArray().Select(type => type.GetString()));
    }

    private static async Task<FakeJob> JobAsync(GatewayServer server, Api api, string suffix)
    {
        var made = await api.PostAsync("/v1/fine_tuning/jobs", new JsonObject { ["model"] = "llava-test", ["training_file"] = await api.UploadAsync(), ["suffix"] = suffix });
        return server.Grains.Jobs[$"default/{made["id"]}"];
    }

    [Fact]
    public async Task Page_TakesPicturesPickedDroppedAndPasted_AndStopsAnAnswer()
    {
        var browser = NodeTools.Chromium();
        await using var server = await GatewayServer.StartAsync();
        server.Script.Gated = true;
        server.Script.Release(2);
        var folder = Directory.CreateTempSubdirectory("llava-page-");
        var (picture, notes) = (Path.Combine(folder.FullName, "picked.png"), Path.Combine(folder.FullName, "notes.png"));
        await File.WriteAllBytesAsync(picture, TestImages.Png(), Cancel);
        await File.WriteAllTextAsync(notes, "no picture", Cancel);
        var printed = await NodeTools.RunAsync("page-input.mjs", [server.Address.AbsoluteUri.TrimEnd('/'), browser, picture, notes], Cancel);
        folder.Delete(recursive: true);
        var step = JsonDocument.Parse(printed).RootElement;
        Assert.Equal((3, true), (step.GetProperty("pictures").GetInt32(), step.GetProperty("sendable").GetBoolean()));
        Assert.Contains("file must be a PNG, JPEG, WebP, GIF or BMP file.", step.GetProperty("error").GetString(), StringComparison.Ordinal);
        var parts = server.Script.Last.Messages[0].Parts;
        Assert.Equal((3, "What is it?"), (parts.Count(part => part.Image is not null), parts.Single(part => part.Text is not null).Text));
        Assert.Equal((server.Script.Last.TurnId, true), await server.Script.Cancellations.Reader.ReadAsync(Cancel));
    }
}
