using LlavaCluster.Model.Text;

namespace LlavaCluster.Training.Data;

/// <summary>
/// Samples side by side, padded on the right, where the causal mask keeps the padding from every real token. Everything is flat over [rows * length]. No tensors:
/// batches are made on pool threads.
/// </summary>
public sealed class TokenBatch
{
    /// <param name="samples">At least one.</param>
    /// <param name="featuresPerPicture">Tokens a picture takes.</param>
    /// <param name="pixelsPerPicture">3 * S * S.</param>
    /// <exception cref="ArgumentException">A sample's pictures do not fit its tokens, or it has nothing to learn.</exception>
    public TokenBatch(IReadOnlyList<TrainingSample> samples, int featuresPerPicture, int pixelsPerPicture)
    {
        var expanded = samples.Select(sample => Expand(sample, featuresPerPicture, pixelsPerPicture)).ToList();
        Rows = expanded.Count;
        Length = expanded.Max(row => row.Count);
        Ids = new long[Rows * Length];
        var (features, places, targets) = (new List<long>(), new List<long>(), new List<long>());
        for (var row = 0; row < Rows; row++)
        {
            var tokens = expanded[row];
            for (var i = 0; i < tokens.Count; i++)
            {
                var place = ((long)row * Length) + i;
                Ids[place] = tokens[i].Id;
                if (tokens[i].Picture >= 0)
                {
                    features.Add(place);
                }

                if (tokens[i].Learned && i > 0)
                {
                    places.Add(place - 1);
                    targets.Add(tokens[i].Id);
                }
            }
        }

        FeaturePlaces = [.. features];
        LossPlaces = [.. places];
        LossTargets = [.. targets];
        Pixels = [.. samples.SelectMany(sample => sample.Pixels)];
        Pictures = Pixels.Length / Math.Max(1, pixelsPerPicture);
    }

    public int Rows { get; }

    /// <summary>Tokens of a row, the longest sample's.</summary>
    public int Length { get; }

    public long[] Ids { get; }

    /// <summary>Where picture features go, in the order of the pictures.</summary>
    public long[] FeaturePlaces { get; }

    /// <summary>Where the next token is learned, and that token.</summary>
    public long[] LossPlaces { get; }

    public long[] LossTargets { get; }

    public float[] Pixels { get; }

    public int Pictures { get; }

    private static List<PromptToken> Expand(TrainingSample sample, int featuresPerPicture, int pixelsPerPicture)
    {
        var pictures = sample.Tokens.Count(token => token.Picture >= 0);
        if (pictures * pixelsPerPicture != sample.Pixels.Length)
        {
            throw new ArgumentException($"The sample's text has {pictures} pictures, which take {pictures * pixelsPerPicture} pixel values; it brings {sample.Pixels.Length}.");
        }

        return sample.Tokens.Any(token => token.Learned)
            ? [.. sample.Tokens.SelectMany(token => Enumerable.Repeat(token, token.Picture >= 0 ? featuresPerPicture : 1))]
            : throw new ArgumentException("The sample has no token to learn.");
    }
}
