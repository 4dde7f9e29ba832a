using LlavaCluster.Cli.Commands;

namespace LlavaCluster.Cli.Tests.Commands;

public sealed class EvalCommandTests
{
    [Theory]
    [InlineData("http://127.0.0.1:8080")]
    [InlineData("https://llava.example/base")]
    public void Parse_OfAServersUrl_HasNoErrors(string url) => Assert.Empty(EvalCommand.Create().Parse(["scenes", "--url", url]).Errors);

    [Theory]
    [InlineData("127.0.0.1:8080")]
    [InlineData("ftp://127.0.0.1")]
    public void Parse_OfAnythingElse_NamesTheOptionAndTheValue(string url) =>
        Assert.Contains(EvalCommand.Create().Parse(["scenes", "--url", url]).Errors, error => error.Message == $"--url must be an http or https URL; was \"{url}\".");
}
