using System.Text.Json;
using LlavaCluster.Gateway.Tests.Fakes;

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
        Assert.Equal("What is in the picture?", step.GetProperty("suggested").GetString());
        Assert.Equal((Answer, Answer), (step.GetProperty("answer").GetString(), step.GetProperty("reloaded").GetString()));
        Assert.StartsWith("conv_", step.GetProperty("conversation").GetString(), StringComparison.Ordinal);
        Assert.Equal((256, 2), (step.GetProperty("picture").GetInt32(), step.GetProperty("turns").GetInt32()));
        Assert.False(step.GetProperty("overflow").GetBoolean());
        Assert.Equal(3, server.Script.Begun.Count);
        Assert.All(server.Script.Begun, turn => Assert.False(turn.Transient));
    }
}
