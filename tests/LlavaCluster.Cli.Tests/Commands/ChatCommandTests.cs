using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary><c>llava chat</c> without a question: a conversation of many turns.</summary>
public sealed class ChatCommandTests : IAsyncLifetime
{
    private readonly string _picture = Path.GetTempFileName();
    private GatewayServer _server = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllBytesAsync(_picture, TestImages.Png(), Cancel);
        _server = await GatewayServer.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        File.Delete(_picture);
    }

    [Fact]
    public async Task Conversation_SendsItsHistoryAndEachPictureOnce()
    {
        var (code, printed, _) = await ConverseAsync($"What is it?\n/image {_picture}\nAnd this?\nThanks\n\nnever asked", "--image", _picture);
        Assert.Equal((0, "A red apple.\nA red apple.\nA red apple."), (code, printed.Trim()));
        var last = _server.Script.Last;
        Assert.Equal(
            [ChatRole.User, ChatRole.Assistant, ChatRole.User, ChatRole.Assistant, ChatRole.User], last.Messages.Select(message => message.Role));
        var picture = ImageId.Of(TestImages.Png());
        Assert.Equal([picture, null, null, picture, null, null, null], last.Messages.SelectMany(message => message.Parts).Select(part => part.Image));
        Assert.Equal(["What is it?", "A red apple.", "And this?", "A red apple.", "Thanks"], last.Messages.SelectMany(message => message.Parts).Select(part => part.Text).OfType<string>());
    }

    [Fact]
    public async Task Conversation_GoesOnAfterAnEmptyAnswer()
    {
        _server.Script.Pieces = [];
        var (code, _, errors) = await ConverseAsync("one\ntwo\n");
        Assert.Equal((0, "", 2), (code, errors, _server.Script.Begun.Count));
    }

    [Fact]
    public async Task Conversation_OfAPerson_KeepsHistoryAndPicturesOverAFailure()
    {
        _server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "requests a minute must be <= 1; 1 was begun.");
        var input = new Typed(["Too early", "/image /no/such/file", "Now"], () => _server.Script.Refusal = null, clearAt: 1);
        var (code, printed, errors) = await CommandLine.RunAsync(Arguments("--image", _picture), input, interactive: true, Cancel);
        Assert.Equal(0, code);
        Assert.Contains("an empty line ends", printed, StringComparison.Ordinal);
        Assert.Contains("requests a minute must be <= 1; 1 was begun.", errors, StringComparison.Ordinal);
        Assert.Contains("/no/such/file", errors, StringComparison.Ordinal);
        var asked = Assert.Single(_server.Script.Last.Messages);
        Assert.Equal([null, "Now"], asked.Parts.Select(part => part.Text));
    }

    [Fact]
    public async Task Conversation_OfAScript_EndsWithItsFirstFailure()
    {
        _server.Script.Refusal = new ChatFailure(ChatFailureKind.QuotaExceeded, "requests a minute must be <= 1; 1 was begun.");
        var (code, printed, errors) = await ConverseAsync("one\ntwo\n");
        Assert.Equal((1, "", "requests a minute must be <= 1; 1 was begun."), (code, printed, errors.Trim()));
    }

    private Task<(int Code, string Printed, string Errors)> ConverseAsync(string typed, params string[] options) =>
        CommandLine.RunAsync(Arguments(options), new StringReader(typed), interactive: false, Cancel);

    private string[] Arguments(params string[] options) => ["chat", "--url", _server.Address.AbsoluteUri, .. options];

    /// <summary>Lines of a person who waits for what comes of the first before typing the second.</summary>
    private sealed class Typed(string[] lines, Action then, int clearAt) : TextReader
    {
        private int _at;

        public override string? ReadLine()
        {
            if (_at == clearAt)
            {
                then();
            }

            return _at < lines.Length ? lines[_at++] : null;
        }
    }
}
