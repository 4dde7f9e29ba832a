namespace LlavaCluster.Engine;

/// <summary>A part of a prompt: text as token ids, or an image that fills as many positions as it has features.</summary>
public abstract record PromptSegment
{
    private PromptSegment()
    {
    }

    /// <param name="Ids">Token ids; the image token is not among them.</param>
    public sealed record Text(IReadOnlyList<int> Ids) : PromptSegment;

    public sealed record Picture(PromptImage Image) : PromptSegment;
}
