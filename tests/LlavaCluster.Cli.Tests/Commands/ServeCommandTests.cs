namespace LlavaCluster.Cli.Tests.Commands;

public sealed class ServeCommandTests
{
    [Fact]
    public void Options_AreCheckedOnceHoweverOftenTheCommandIsMade()
    {
        CommandLine.Parse("serve");
        Assert.Equal("--port must be from 0 to 65535; was 70000.", Assert.Single(CommandLine.Parse("serve", "--port", "70000").Errors).Message);
    }

    [Fact]
    public void TextThatIsNoWholeNumber_IsRefusedByName() =>
        Assert.Contains("--train-share must be a whole number from 1 to 100; was \"0.05\".", CommandLine.Parse("serve", "--train-share", "0.05").Errors.Select(error => error.Message));
}
