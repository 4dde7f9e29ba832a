using CsCheck;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneKeyTests
{
    private static readonly Gen<(SceneSplit Split, int Seed, long Index)> Parts =
        Gen.Select(Gen.Enum<SceneSplit>(), Gen.Int[0, SceneKey.MaxSeed], Gen.Long[0, SceneKey.MaxIndex]);

    [Fact]
    public void Create_AnyParts_GivesThemBack() => Parts.Sample(parts =>
    {
        var key = SceneKey.Create(parts.Split, parts.Seed, parts.Index);
        return (key.Split, key.Seed, key.Index) == parts;
    });

    [Fact]
    public void Create_DifferentSplits_NeverShareAValue() => Gen.Select(Parts, Parts).Sample((first, second) =>
        first.Split == second.Split
        || SceneKey.Create(first.Split, first.Seed, first.Index).Value != SceneKey.Create(second.Split, second.Seed, second.Index).Value);

    [Fact]
    public void Create_AtTheBounds_KeepsSplitRangesApart()
    {
        var lastTraining = SceneKey.Create(SceneSplit.Training, SceneKey.MaxSeed, SceneKey.MaxIndex);
        var firstValidation = SceneKey.Create(SceneSplit.Validation, 0, 0);

        Assert.Equal(lastTraining.Value + 1, firstValidation.Value);
    }

    [Fact]
    public void Create_WhenSeedOrIndexIsOutOfBounds_NamesTheBound()
    {
        Assert.StartsWith("seed must be between 0 and 4194303; was -1.", Assert.Throws<ArgumentOutOfRangeException>(() => SceneKey.Create(SceneSplit.Training, -1, 0)).Message);
        Assert.StartsWith("index must be between 0 and 1099511627775; was -2.", Assert.Throws<ArgumentOutOfRangeException>(() => SceneKey.Create(SceneSplit.Training, 0, -2)).Message);
    }
}
