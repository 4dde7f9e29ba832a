using LlavaCluster.Engine;

namespace LlavaCluster.Worker.Serving;

/// <param name="Tokens">Positions, pictures included.</param>
internal readonly record struct PromptSize(int Tokens, int ImageTokens)
{
    public static PromptSize Of(IReadOnlyList<PromptSegment> prompt)
    {
        var words = prompt.OfType<PromptSegment.Text>().Sum(text => text.Ids.Count);
        var pictures = prompt.OfType<PromptSegment.Picture>().Sum(picture => picture.Image.Tokens);
        return new PromptSize(words + pictures, pictures);
    }
}
