using System.Text.RegularExpressions;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests;

/// <summary><c>llava chat</c> as a person and as a script use it, against the served model.</summary>
public sealed partial class ChatTerminalTests(ServedModel served) : IClassFixture<ServedModel>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static string Picture => Path.Combine(Goldens.Path("images"), "wide.png");

    [Fact]
    public async Task Chat_InATerminal_AsksAndAnswersUntilAnEmptyLine()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "script (util-linux) is not installed.");
        var command = $"dotnet {Path.Combine(AppContext.BaseDirectory, "llava.dll")} chat --url {served.Address.AbsoluteUri} --image {Picture}";
        var (code, printed, _) = await Command.RunProgramAsync("script", ["-qec", command, "/dev/null"], "What is it?\n/image /no/such/file\nAnd now?\n\n", Cancel);
        Assert.Equal(0, code);
        Assert.Contains("an empty line ends", printed, StringComparison.Ordinal);
        // The terminal shows what was typed behind each prompt.
        var shown = Styles().Replace(printed, "").Replace("\r", "", StringComparison.Ordinal);
        Assert.Contains("\n> What is it?\n", shown, StringComparison.Ordinal);
        Assert.Contains("\nCould not find", shown, StringComparison.Ordinal);
        Assert.Matches("\n> And now\\?\n[^\n]", shown);
    }

    [Fact]
    public async Task Chat_OverAPipe_PrintsAnswersAndNothingElse()
    {
        var (code, printed, errors) = await Command.RunAsync("hi\n", Cancel, "chat", "--url", served.Address.AbsoluteUri, "--image", Picture);
        Assert.Equal((0, ""), (code, errors));
        Assert.NotEmpty(printed.Trim());
        Assert.DoesNotContain("an empty line ends", printed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_OfWhatIsRefused_SaysWhyOnTheErrorStream()
    {
        var (code, printed, errors) = await Command.RunAsync("", Cancel, "chat", "--url", served.Address.AbsoluteUri, "--model", "none", "hi");
        Assert.Equal((1, "", "model must be one of those in /v1/models; was \"none\"."), (code, printed, errors.Trim()));
        var (lost, _, why) = await Command.RunAsync("", Cancel, "chat", "--url", "http://127.0.0.1:1", "hi");
        Assert.Equal(1, lost);
        Assert.Single(why.Trim().Split('\n'));
    }

    [GeneratedRegex("\u001b\\[[0-9;?]*[a-z]|\u001b=")]
    private static partial Regex Styles();
}
