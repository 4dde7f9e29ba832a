using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>What is changed, and beside how many chats.</summary>
internal sealed record SwitchOptions
{
    /// <summary>Changes of the traffic, taken-back ones among them.</summary>
    public required int Changes { get; init; }

    /// <summary>Chats that stream at once.</summary>
    public required int AtOnce { get; init; }

    /// <summary>Of the versions' factors, one each; two at least.</summary>
    public required IReadOnlyList<int> Ranks { get; init; }

    /// <summary>The chats' questions: as many as its <c>Chats</c>, each asked over and over.</summary>
    public required LoadOptions Load { get; init; }
}
