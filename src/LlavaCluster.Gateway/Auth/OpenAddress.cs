namespace LlavaCluster.Gateway.Auth;

/// <summary>The rule that no address but loopback is served without a key, for a program that wants to say so before it starts anything.</summary>
public static class OpenAddress
{
    /// <summary>Whether a key lets the operator in, without whom nobody could make others.</summary>
    public static bool IsOperators(IEnumerable<string> scopes) => scopes.Contains(Scopes.Admin);

    public static string Refusal(string address) =>
        $"{address} can be reached from other machines and there is no API key. Make one with \"llava tenants keys new\" and pass it with --key-file, "
        + "or serve on 127.0.0.1 once and run \"llava tenants keys create default --scope admin\".";
}
