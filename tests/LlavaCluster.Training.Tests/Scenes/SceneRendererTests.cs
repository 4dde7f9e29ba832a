using System.Security.Cryptography;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneRendererTests
{
    private static short[] Labels(Scene scene, int grid) => [.. scene.Patches(grid, coverage: 0.5f).Select(patch => patch.Label)];

    private static SceneKey Key(long index) => SceneKey.Create(SceneSplit.Training, 3, index);

    [Fact]
    public void Render_SameKeyOnManyThreads_GivesTheSameBytesAndAnnotation()
    {
        var expected = Enumerable.Range(0, 40).Select(index => Digest(new SceneRenderer(DrawnArtwork.Library).Render(Key(index)))).ToArray();

        var actual = new string[expected.Length * 4];
        Parallel.For(0, actual.Length, index => actual[index] = Digest(DrawnArtwork.Renderer.Render(Key(index % expected.Length))));

        Assert.Equal([.. expected, .. expected, .. expected, .. expected], actual);
    }

    [Fact]
    public void Render_DifferentSplitsSeedsAndIndices_GiveDifferentPictures()
    {
        SceneKey[] keys =
        [
            SceneKey.Create(SceneSplit.Training, 3, 1), SceneKey.Create(SceneSplit.Validation, 3, 1), SceneKey.Create(SceneSplit.Evaluation, 3, 1),
            SceneKey.Create(SceneSplit.Training, 4, 1), SceneKey.Create(SceneSplit.Training, 3, 2),
        ];

        Assert.Equal(keys.Length, keys.Select(key => Digest(DrawnArtwork.Renderer.Render(key))).Distinct().Count());
    }

    [Fact]
    public void Render_ManyScenes_BoxesAreTightAroundTheLabelledPixels()
    {
        foreach (var scene in Enumerable.Range(0, 300).Select(index => DrawnArtwork.Renderer.Render(Key(index))))
        {
            var labels = Labels(scene, scene.Size);
            foreach (var group in scene.Annotation.Instances.GroupBy(instance => instance.Category))
            {
                // Only a class that is alone, uncovered and covering nothing has pixels that are its own box and no more.
                if (group.Count() == 1 && scene.Annotation.Instances.All(other => other == group.Single() || other.Box.Intersection(group.Single().Box) == 0))
                {
                    Assert.Equal(BoxOf(labels, scene.Size, DrawnArtwork.Classes.IndexOf(group.Key) + 1), group.Single().Box);
                }
            }
        }
    }

    [Fact]
    public void Render_ManyScenes_KeepsObjectsInsideLargeEnoughAndHardlyOverlapping()
    {
        foreach (var scene in Enumerable.Range(0, 500).Select(index => DrawnArtwork.Renderer.Render(Key(index))))
        {
            var boxes = scene.Annotation.Instances.Select(instance => instance.Box).ToList();
            Assert.InRange(boxes.Count, 1, 5);
            foreach (var box in boxes)
            {
                Assert.True(box.X >= 0 && box.Y >= 0 && box.Right <= scene.Size && box.Bottom <= scene.Size, $"{scene.Key}: {box}");
                Assert.True(Math.Max(box.Width, box.Height) >= 23, $"{scene.Key}: {box}");
                Assert.All(boxes.Where(other => other != box), other =>
                    Assert.True(box.Intersection(other) <= 0.12f * Math.Min(box.Area, other.Area), $"{scene.Key}: {box} {other}"));
            }
        }
    }

    [Fact]
    public void Render_ManyScenes_CountsOfOneToFourOfAClassAreAllCommon()
    {
        var counts = new int[6];
        foreach (var scene in Enumerable.Range(0, 2000).Select(index => DrawnArtwork.Renderer.Render(Key(index))))
        {
            counts[scene.Annotation.Instances.GroupBy(instance => instance.Category).Max(group => group.Count())]++;
        }

        Assert.Equal((0, 0), (counts[0], counts[5]));
        Assert.All(counts[1..5], count => Assert.True(count >= 80, $"{string.Join(' ', counts)}"));
    }

    [Fact]
    public void Patches_OfAGrid_AreTheObjectsThatCoverTheCells()
    {
        var scene = DrawnArtwork.PlainRenderer.Render(Key(11));
        var pixels = Labels(scene, 112);
        var cells = Labels(scene, 14);

        for (var cell = 0; cell < cells.Length; cell++)
        {
            var inside = Enumerable.Range(0, 64).Select(k => pixels[(cell / 14 * 8 + k / 8) * 112 + cell % 14 * 8 + k % 8]).Where(label => label != 0).ToList();
            var best = inside.GroupBy(label => label).MaxBy(group => group.Count());
            Assert.Equal(best is not null && best.Count() >= 32 ? best.Key : 0, cells[cell]);
        }

        Assert.Contains(cells, label => label != Scene.BackgroundLabel);
    }

    [Fact]
    public void Patches_OfManyScenes_TellEveryObjectsPlaceAndShareItsMiddleInsideItsBox()
    {
        foreach (var scene in Enumerable.Range(0, 200).Select(index => DrawnArtwork.Renderer.Render(Key(index))))
        {
            var patches = scene.Patches(8);
            var objects = scene.Annotation.Instances.Select(instance => (
                Label: (short)(DrawnArtwork.Classes.IndexOf(instance.Category) + 1), X: instance.Box.CentreX / scene.Size, Y: instance.Box.CentreY / scene.Size, Size: MathF.Sqrt(instance.Box.Area) / scene.Size)).ToList();
            Assert.All(patches.Where(patch => patch.Label != Scene.BackgroundLabel), patch => Assert.Contains((patch.Label, patch.X, patch.Y, patch.Size), objects));
            Assert.All(patches.Where(patch => patch.Label == Scene.BackgroundLabel), patch => Assert.Equal(default, patch));

            var middles = patches.Index().Where(entry => entry.Item.Middle > 0).ToList();
            Assert.All(objects, drawn => Assert.Equal(1, middles.Select(entry => entry.Item).Where(patch => (patch.Label, patch.X, patch.Y, patch.Size) == drawn).Sum(patch => patch.Middle), 1e-5));
            Assert.All(middles, entry => Assert.True(
                MathF.Abs((entry.Index % 8) + 0.5f - (entry.Item.X * 8)) < entry.Item.Size * 8 && MathF.Abs((entry.Index / 8) + 0.5f - (entry.Item.Y * 8)) < entry.Item.Size * 8, $"{scene.Key}: {entry}"));
        }
    }

    [Fact]
    public void Patches_WhereACentreLiesBetweenCells_ShareTheMiddleByNearness()
    {
        var shares = 0;
        foreach (var scene in Enumerable.Range(0, 200).Select(index => DrawnArtwork.Renderer.Render(Key(index))).Where(scene => scene.Annotation.Instances.Count == 1))
        {
            var patches = scene.Patches(8);
            var around = patches.Index().Select(entry => (entry.Item.Middle, Near: Math.Max(0, 1 - MathF.Abs((entry.Index % 8) + 0.5f - (entry.Item.X * 8))) * Math.Max(0, 1 - MathF.Abs((entry.Index / 8) + 0.5f - (entry.Item.Y * 8))))).Where(entry => entry.Middle > 0).ToList();
            if (around.Sum(entry => entry.Near) > 0.999f) // the object covers all cells around its centre
            {
                Assert.All(around, entry => Assert.Equal(entry.Near, entry.Middle, 1e-3f));
                shares += around.Count;
            }
        }

        Assert.True(shares > 20, $"{shares}");
    }

    [Fact]
    public void Patches_WhenGridDoesNotDivideTheSize_NamesBoth()
    {
        var error = Assert.Throws<ArgumentException>(() => DrawnArtwork.PlainRenderer.Render(Key(0)).Patches(15));

        Assert.StartsWith("grid must divide the size 112; was 15.", error.Message);
    }

    [Theory]
    [InlineData(31, 0.23f, 20f, "Size must be between 32 and 1024; was 31.")]
    [InlineData(112, 0.8f, 20f, "0.05 < SmallestObject <= LargestObject <= 0.7 must hold; was 0.8 and 0.52.")]
    [InlineData(112, 0.23f, float.NaN, "LargestTurn must be between 0 and 45 degrees; was NaN.")]
    public void Create_WhenAnOptionIsOutOfBounds_NamesIt(int size, float smallest, float turn, string message)
    {
        var options = new SceneOptions { Size = size, SmallestObject = smallest, LargestTurn = turn };

        Assert.Equal(message, Assert.Throws<ArgumentException>(() => new SceneRenderer(DrawnArtwork.Library, options)).Message);
    }

    private static BoundingBox BoxOf(short[] labels, int size, int label)
    {
        var found = Enumerable.Range(0, labels.Length).Where(index => labels[index] == label).ToList();
        var (left, right) = (found.Min(index => index % size), found.Max(index => index % size));
        var (top, bottom) = (found.Min(index => index / size), found.Max(index => index / size));
        return new BoundingBox(left, top, right - left + 1, bottom - top + 1);
    }

    private static string Digest(Scene scene)
    {
        var boxes = string.Join(';', scene.Annotation.Instances) + string.Join(';', scene.Annotation.Captions);
        return Convert.ToHexString(SHA256.HashData(scene.Pixels)) + boxes;
    }
}
