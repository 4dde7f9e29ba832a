using LlavaCluster.Model.Text;

namespace LlavaCluster.Training.Data;

/// <summary>
/// Samples end to end without padding, told apart by their lengths: a conversation is from a hundred to several hundred tokens, and padding every one to the
/// longest would cost a third of the work. The whole is filled up to a round length, because libtorch makes new machine code for every new shape of a product.
/// Samples that share an array of picture values share the pictures, which are encoded once. Everything is flat over [tokens]. No tensors: batches are made on
/// pool threads.
/// </summary>
public sealed class TokenBatch
{
    /// <summary>The target that libtorch's cross entropy leaves out.</summary>
    public const long Unlearned = -100;

    /// <param name="samples">At least one.</param>
    /// <param name="featuresPerPicture">Tokens a picture takes.</param>
    /// <param name="valuesPerPicture">3 * S * S for pixels.</param>
    /// <param name="roundTo">Tokens and losses come in multiples of it.</param>
    /// <exception cref="ArgumentException">A sample's pictures do not fit its tokens, or it has nothing to learn.</exception>
    public TokenBatch(IReadOnlyList<TrainingSample> samples, int featuresPerPicture, int valuesPerPicture, int roundTo = 1)
    {
        var expanded = samples.Select(sample => Expand(sample, featuresPerPicture, valuesPerPicture)).ToList();
        Lengths = [.. expanded.Select(row => (long)row.Count)];
        var filling = Missing(Lengths.Sum(), roundTo);
        Lengths = filling == 0 ? Lengths : [.. Lengths, filling];
        Ids = new long[Lengths.Sum()];
        Positions = new long[Ids.Length];
        var distinct = samples.Select(sample => sample.PictureValues).Where(values => values.Length > 0).Distinct().ToList(); // by reference
        PictureValues = [.. distinct.SelectMany(values => values)];
        Pictures = PictureValues.Length / Math.Max(1, valuesPerPicture);
        var firstRows = FirstRows(distinct, valuesPerPicture, featuresPerPicture);
        var (features, rows, places, targets) = (new List<long>(), new List<long>(), new List<long>(), new List<long>());
        var place = 0L;
        for (var sample = 0; sample < expanded.Count; sample++)
        {
            var tokens = expanded[sample];
            var row = firstRows.GetValueOrDefault(samples[sample].PictureValues);
            for (var i = 0; i < tokens.Count; i++, place++)
            {
                Ids[place] = tokens[i].Id;
                Positions[place] = i;
                if (tokens[i].Picture >= 0)
                {
                    features.Add(place);
                    rows.Add(row++);
                }

                if (tokens[i].Learned && i > 0)
                {
                    places.Add(place - 1);
                    targets.Add(tokens[i].Id);
                }
            }
        }

        for (var i = 0; i < filling; i++)
        {
            Positions[place + i] = i;
        }

        Terms = targets.Count;
        var unlearned = (int)Missing(targets.Count, roundTo);
        places.AddRange(Enumerable.Repeat(0L, unlearned));
        targets.AddRange(Enumerable.Repeat(Unlearned, unlearned));
        FeaturePlaces = [.. features];
        FeatureRows = [.. rows];
        LossPlaces = [.. places];
        LossTargets = [.. targets];
    }

    /// <summary>Tokens that are learned.</summary>
    public int Terms { get; }

    /// <summary>Tokens of each sample, and last of what fills up.</summary>
    public long[] Lengths { get; }

    public long[] Ids { get; }

    /// <summary>From 0 in every sample.</summary>
    public long[] Positions { get; }

    /// <summary>Where picture features go.</summary>
    public long[] FeaturePlaces { get; }

    /// <summary>Which of the features goes there: rows of [pictures * features], as many as <see cref="FeaturePlaces"/>.</summary>
    public long[] FeatureRows { get; }

    /// <summary>Where the next token is learned, and that token; <see cref="Unlearned"/> where the row only fills up.</summary>
    public long[] LossPlaces { get; }

    public long[] LossTargets { get; }

    /// <summary>Of all pictures, each once, as the samples'.</summary>
    public float[] PictureValues { get; }

    public int Pictures { get; }

    private static Dictionary<float[], long> FirstRows(List<float[]> distinct, int valuesPerPicture, int featuresPerPicture)
    {
        var rows = new Dictionary<float[], long>();
        var next = 0L;
        foreach (var values in distinct)
        {
            rows.Add(values, next);
            next += (long)values.Length / valuesPerPicture * featuresPerPicture;
        }

        return rows;
    }

    private static long Missing(long count, int roundTo) => (roundTo - (count % roundTo)) % roundTo;

    private static List<PromptToken> Expand(TrainingSample sample, int featuresPerPicture, int valuesPerPicture)
    {
        var pictures = sample.Tokens.Count(token => token.Picture >= 0);
        if (pictures * valuesPerPicture != sample.PictureValues.Length)
        {
            throw new ArgumentException($"The sample's text has {pictures} pictures, which take {pictures * valuesPerPicture} values; it brings {sample.PictureValues.Length}.");
        }

        return sample.Tokens.Any(token => token.Learned)
            ? [.. sample.Tokens.SelectMany(token => Enumerable.Repeat(token, token.Picture >= 0 ? featuresPerPicture : 1))]
            : throw new ArgumentException("The sample has no token to learn.");
    }
}
