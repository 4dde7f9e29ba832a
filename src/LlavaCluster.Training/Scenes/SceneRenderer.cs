using System.Collections.Concurrent;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Draws the scene that a key names: a pure function of key, artwork and options. Thread-safe; working buffers are pooled.
/// Knows nothing of questions.
/// </summary>
public sealed class SceneRenderer
{
    private const int PlacementTries = 40;
    private static readonly float[] CountWeights = [0.14f, 0.24f, 0.24f, 0.22f, 0.16f];

    // Largest share of the side an object may take when so many are drawn.
    private static readonly float[] LargestByCount = [1f, 0.5f, 0.43f, 0.38f, 0.34f];
    private readonly ArtworkLibrary _library;
    private readonly SceneOptions _options;
    private readonly ConcurrentBag<SceneCanvas> _canvases = [];

    /// <exception cref="ArgumentException">An option is out of its bounds.</exception>
    public SceneRenderer(ArtworkLibrary library, SceneOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(library);
        _library = library;
        _options = options ?? new SceneOptions();
        _options.Validate();
    }

    public SceneClasses Classes => _library.Classes;

    /// <summary>Side of the pictures in pixels.</summary>
    public int Size => _options.Size;

    public Scene Render(SceneKey key)
    {
        if (!_canvases.TryTake(out var canvas))
        {
            canvas = new SceneCanvas(_options.Size);
        }

        var scene = Render(key, canvas);
        _canvases.Add(canvas);
        return scene;
    }

    private Scene Render(SceneKey key, SceneCanvas canvas)
    {
        var random = SceneRandom.For(key, purpose: 1);
        SceneBackground.Paint(canvas, random);
        Array.Clear(canvas.Owners);

        var classes = ChooseClasses(random);
        var oneArtist = random.Chance(0.5f) ? random.Next(_library.Artists.Count) : -1;
        var instances = new List<SceneInstance>(classes.Length);
        foreach (var classIndex in classes)
        {
            var artist = oneArtist >= 0 ? oneArtist : random.Next(_library.Artists.Count);
            var largest = Math.Clamp(LargestByCount[classes.Length - 1], _options.SmallestObject, _options.LargestObject);
            if (TryPlace(canvas, random, _library.Get(artist, classIndex), largest, instances) is { } box)
            {
                instances.Add(new SceneInstance(Classes[classIndex].Name, box));
                canvas.Blend(canvas.Sprite, box.X, box.Y, (short)instances.Count);
            }
        }

        if (_options.Jitter)
        {
            SceneFinish.Apply(canvas, random);
        }

        var size = _options.Size;
        var captions = SceneCaptions.Write(Classes, instances, size, SceneRandom.For(key, purpose: 2));
        var annotation = new SceneAnnotation(key.ToString(), size, size, instances, captions);
        return new Scene(key, size, canvas.ToBytes(), (short[])canvas.Owners.Clone(), Classes, annotation);
    }

    /// <summary>One to five objects.</summary>
    private int[] ChooseClasses(SceneRandom random)
    {
        var count = random.PickWeighted(CountWeights) + 1;
        var repeats = count > 1 && random.Chance(_options.Repeats) ? 2 + random.Next(Math.Min(count, 4) - 1) : 1;
        var chosen = new List<int>(count);
        while (chosen.Count < count - repeats + 1)
        {
            var candidate = random.Next(Classes.Count);
            if (!chosen.Contains(candidate) || chosen.Count >= Classes.Count)
            {
                chosen.Add(candidate);
            }
        }

        while (chosen.Count < count)
        {
            chosen.Add(chosen[0]);
        }

        random.Shuffle(chosen);
        return [.. chosen];
    }

    /// <summary>Rasterises the object and finds room for it; each failed try draws a smaller one. Null when there is no room.</summary>
    private BoundingBox? TryPlace(SceneCanvas canvas, SceneRandom random, Artwork artwork, float largest, List<SceneInstance> placed)
    {
        var turn = _options.LargestTurn * MathF.PI / 180f;
        var radians = random.Range(-turn, turn);
        var mirrored = random.Chance(0.5f);
        var colours = _options.Jitter ? ColourTransform.Draw(random) : ColourTransform.Identity;
        var side = random.Range(_options.SmallestObject, largest);
        for (var round = 0; round < 2; round++)
        {
            if (!canvas.Sprite.Rasterise(artwork, side * _options.Size, radians, mirrored, colours))
            {
                return null;
            }

            for (var attempt = 0; attempt < PlacementTries; attempt++)
            {
                if (DrawBox(canvas.Sprite.Visible, random) is { } box && HasRoom(box, placed))
                {
                    return box;
                }
            }

            side = _options.SmallestObject;
        }

        return null;
    }

    private BoundingBox? DrawBox(BoundingBox visible, SceneRandom random)
    {
        var (spareX, spareY) = (_options.Size - visible.Width, _options.Size - visible.Height);
        return spareX < 0 || spareY < 0 ? null : visible with { X = random.Next(spareX + 1), Y = random.Next(spareY + 1) };
    }

    private bool HasRoom(BoundingBox box, List<SceneInstance> placed)
    {
        foreach (var other in placed)
        {
            if (box.Intersection(other.Box) > _options.LargestOverlap * Math.Min(box.Area, other.Box.Area))
            {
                return false;
            }
        }

        return true;
    }
}
