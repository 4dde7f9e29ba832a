namespace LlavaCluster.Cli.Tests.Commands;

/// <summary>Arguments of the commands that measure a server of their own or one that runs.</summary>
public sealed class MeasuredServerTests
{
    [Theory]
    [InlineData("--rank must be two or more from 1 to 1024; was 8.", "adapters", "--rank", "8")]
    [InlineData("--rank must be two or more from 1 to 1024; was 8 0.", "adapters", "--rank", "8", "0")]
    [InlineData("--changes must be from 1 to 1000000; was 0.", "adapters", "--changes", "0")]
    [InlineData("--batch-size must be from 1 to 4096; was 0.", "job", "--batch-size", "0")]
    public void ArgumentsOutOfBounds_AreNamed(string message, params string[] arguments) =>
        Assert.Equal(message, Assert.Single(CommandLine.Parse(["bench", .. arguments]).Errors).Message);

    [Theory]
    [InlineData("adapters")]
    [InlineData("job")]
    public async Task ServerThatEndsAtOnce_IsNamedWithItsCode(string measure)
    {
        var (code, _, errors) = await CommandLine.RunAsync(["bench", measure, "--serve", "false", "--url", "http://127.0.0.1:1"], TestContext.Current.CancellationToken);

        Assert.Equal(1, code);
        Assert.Contains("\"false\" ended with 1 before http://127.0.0.1:1/v1/models answered", errors, StringComparison.Ordinal);
    }
}
