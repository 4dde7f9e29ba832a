namespace LlavaCluster.Model.Text;

/// <summary>A token of a prompt: an id, or the place of a picture whose features are spliced in.</summary>
/// <param name="Id">The picture token's id where <paramref name="Picture"/> is set.</param>
/// <param name="Picture">Index of the picture, -1 for words.</param>
/// <param name="Learned">Whether training puts loss on it.</param>
public readonly record struct PromptToken(int Id, int Picture, bool Learned);
