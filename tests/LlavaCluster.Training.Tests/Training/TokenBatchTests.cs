using LlavaCluster.Model.Text;
using LlavaCluster.Training.Data;

namespace LlavaCluster.Training.Tests.Training;

public sealed class TokenBatchTests
{
    private const int Features = 2;
    private const int Values = 3;

    [Fact]
    public void Create_LaysSamplesEndToEndAndMarksFeaturesAndLosses()
    {
        var picture = new TrainingSample([new(1, -1, false), new(9, 0, false), new(5, -1, false), new(6, -1, true)], [1, 2, 3]);
        var words = new TrainingSample([new(1, -1, false), new(7, -1, true), new(2, -1, true)], []);

        var batch = new TokenBatch([picture, words], Features, Values);

        Assert.Equal([5, 3], batch.Lengths);
        Assert.Equal(1, batch.Pictures);
        Assert.Equal([1, 9, 9, 5, 6, 1, 7, 2], batch.Ids);
        Assert.Equal([0, 1, 2, 3, 4, 0, 1, 2], batch.Positions);
        Assert.Equal([1, 2], batch.FeaturePlaces);
        Assert.Equal([0, 1], batch.FeatureRows);
        Assert.Equal([3, 5, 6], batch.LossPlaces);
        Assert.Equal([6, 7, 2], batch.LossTargets);
    }

    [Fact]
    public void Create_OfSamplesThatShareAPicture_HoldsItOnce()
    {
        float[] shared = [1, 2, 3], equal = [1, 2, 3], pair = [4, 5, 6, 7, 8, 9];
        TrainingSample[] samples = [About(1, shared), About(2, pair), About(1, equal), About(1, shared)];

        var batch = new TokenBatch(samples, Features, Values);

        Assert.Equal(4, batch.Pictures);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], batch.PictureValues);
        Assert.Equal([0, 1, /* pair */ 2, 3, 4, 5, /* equal */ 6, 7, /* shared again */ 0, 1], batch.FeatureRows);
        Assert.Equal(batch.FeatureRows.Length, batch.FeaturePlaces.Length);

        static TrainingSample About(int pictures, float[] values) =>
            new([new(1, -1, false), .. Enumerable.Range(0, pictures).Select(picture => new PromptToken(9, picture, false)), new(6, -1, true)], values);
    }

    [Fact]
    public void Create_ToARoundLength_FillsUpWithWhatTeachesNothing()
    {
        var batch = new TokenBatch([new TrainingSample([new(1, -1, false), new(7, -1, true), new(2, -1, true)], [])], Features, Values, roundTo: 4);

        Assert.Equal([3, 1], batch.Lengths);
        Assert.Equal([1, 7, 2, 0], batch.Ids);
        Assert.Equal([0, 1, 2, 0], batch.Positions);
        Assert.Equal([0, 1, 0, 0], batch.LossPlaces);
        Assert.Equal([7, 2, TokenBatch.Unlearned, TokenBatch.Unlearned], batch.LossTargets);
        Assert.Equal(2, batch.Terms);
    }

    [Fact]
    public void Create_OfASampleWithNothingToLearn_IsRefused() =>
        Assert.Throws<ArgumentException>(() => new TokenBatch([new TrainingSample([new(1, -1, false), new(4, -1, false)], [])], Features, Values));

    [Fact]
    public void Create_OfASampleWhoseValuesDoNotFitItsPictures_NamesBothNumbers()
    {
        var refused = Assert.Throws<ArgumentException>(() => new TokenBatch([new TrainingSample([new(9, 0, false), new(4, -1, true)], [1, 2])], Features, Values));

        Assert.Contains("1 pictures, which take 3 values; it brings 2", refused.Message, StringComparison.Ordinal);
    }
}
