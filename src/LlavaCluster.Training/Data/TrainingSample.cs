using LlavaCluster.Model.Text;

namespace LlavaCluster.Training.Data;

/// <summary>One conversation ready to be learned: its tokens, a picture as one of them, and its pictures.</summary>
/// <param name="Tokens">With the places that carry loss marked.</param>
/// <param name="PictureValues">Normalised pixels, [pictures, 3, S, S] flat, or, where pictures are told in words, weights of words, [pictures, features, words] flat; empty for text alone.</param>
public sealed record TrainingSample(IReadOnlyList<PromptToken> Tokens, float[] PictureValues)
{
    private const int Ignored = 0; // labels below it carry no loss: PyTorch's ignore_index is -100

    /// <summary>A sample as Hugging Face's models take it, where a picture's id is repeated for each of its features.</summary>
    /// <param name="ids">With every picture's run of image ids.</param>
    /// <param name="labels">As long as <paramref name="ids"/>: the id itself where it is learned, -100 elsewhere.</param>
    /// <param name="imageTokenId">The repeated id.</param>
    /// <param name="featuresPerPicture">Length of a picture's run; pictures may follow one another.</param>
    public static TrainingSample FromLabels(IReadOnlyList<int> ids, IReadOnlyList<int> labels, int imageTokenId, int featuresPerPicture, float[] pixels)
    {
        if (ids.Count != labels.Count)
        {
            throw new ArgumentException($"labels must have one entry for each of the {ids.Count} ids; had {labels.Count}.", nameof(labels));
        }

        var tokens = new List<PromptToken>();
        for (int i = 0, picture = 0; i < ids.Count;)
        {
            var isPicture = ids[i] == imageTokenId;
            tokens.Add(new PromptToken(ids[i], isPicture ? picture++ : -1, labels[i] >= Ignored));
            i += isPicture ? featuresPerPicture : 1;
        }

        return new TrainingSample(tokens, pixels);
    }
}
