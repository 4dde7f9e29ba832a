using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Cli.Tests.Commands;

/// <summary>The commands that talk to a server, against the real gateway over scripted grains.</summary>
public sealed class ServerCommandTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Chat_WithPictureAndMessage_PrintsTheAnswerWithoutControlCharacters()
    {
        await using var server = await GatewayServer.StartAsync();
        server.Script.Pieces = ["A \u001b[31mred ", "apple."];
        var path = Path.GetTempFileName();
        await File.WriteAllBytesAsync(path, TestImages.Png(), Cancel);
        var (code, printed) = await RunAsync("chat", "--url", server.Address.AbsoluteUri, "--image", path, "What is it?");
        File.Delete(path);
        Assert.Equal((0, "A [31mred apple."), (code, printed.Trim()));
        Assert.Equal([ImageId.Of(TestImages.Png()), null], server.Script.Last.Messages[0].Parts.Select(part => part.Image));
    }

    [Fact]
    public async Task Tenants_WithAKeyFromAFile_AdministersKeysAndQuotas()
    {
        var (_, operatorKey) = await RunAsync("tenants", "keys", "new");
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, $"# first start\n\n{operatorKey}", Cancel);
        await using var server = await GatewayServer.StartAsync(options => options.StaticKeys.Add(Assert.Single(KeyFile.Read(path))));
        File.Delete(path);
        string[] connection = ["--url", server.Address.AbsoluteUri, "--api-key", operatorKey.Trim()];
        var (made, key) = await RunAsync(["tenants", "keys", "create", "acme", .. connection]);
        Assert.Equal((0, "llava-acme.key1.secret-of-acme-key1"), (made, key.Trim()));
        Assert.Contains("key1", (await RunAsync(["tenants", "keys", "list", "acme", .. connection])).Printed, StringComparison.Ordinal);
        var (set, quota) = await RunAsync(["tenants", "quota", "acme", "--tokens-per-minute", "100", "--weight", "2", .. connection]);
        Assert.Equal(0, set);
        Assert.Equal((100, null, 2.0), (server.Grains.Tenants["acme"].Quota.TokensPerMinute, server.Grains.Tenants["acme"].Quota.RequestsPerMinute, server.Grains.Tenants["acme"].Quota.Weight));
        Assert.Contains("tokens a minute: 100", quota, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync(["tenants", "keys", "revoke", "acme", "key1", .. connection])).Code);
        Assert.Equal(1, (await RunAsync(["tenants", "keys", "revoke", "acme", "key1", .. connection])).Code);
        var (refused, why) = await RunAsync("tenants", "usage", "acme", "--url", server.Address.AbsoluteUri, "--api-key", "wrong");
        Assert.Equal((1, "The API key is not valid."), (refused, why.Trim()));
    }

    [Fact]
    public void KeyFile_WithAWrongLine_NamesTheLineAndNotItsText()
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, "# keys\nhunter2\n");
        var fault = Assert.Throws<InvalidDataException>(() => KeyFile.Read(path));
        File.Delete(path);
        Assert.Equal($"{path} must hold one llava-TENANT.KEYID.SECRET a line; line 2 is none.", fault.Message);
    }

    private static async Task<(int Code, string Printed)> RunAsync(params string[] arguments)
    {
        var (code, printed, errors) = await CommandLine.RunAsync(arguments, Cancel);
        return (code, code == 0 ? printed : errors);
    }
}
