namespace LlavaCluster.Training.Scenes;

/// <summary>A drawn picture with its annotation. Immutable, owned by whoever asked for it.</summary>
public sealed class Scene
{
    /// <summary>Label of a patch that no object covers; class c has label c + 1.</summary>
    public const int BackgroundLabel = 0;

    private const int Nobody = 0;

    private readonly short[] _owners; // [size, size]: the topmost visible object's place in the annotation, from 1
    private readonly SceneClasses _classes;
    private readonly byte[] _pixels;

    internal Scene(SceneKey key, int size, byte[] pixels, short[] owners, SceneClasses classes, SceneAnnotation annotation)
    {
        Key = key;
        Size = size;
        _classes = classes;
        Annotation = annotation;
        _pixels = pixels;
        _owners = owners;
    }

    public SceneKey Key { get; }

    /// <summary>Side in pixels.</summary>
    public int Size { get; }

    public SceneAnnotation Annotation { get; }

    /// <summary>RGB, 8 bits each, [size, size, 3] row-major.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>What each cell of a grid x grid raster shows, row-major: the object that covers most of its pixels, if it covers enough of them.</summary>
    /// <param name="grid">Cells per side; must divide <see cref="Size"/>.</param>
    /// <param name="coverage">Least covered share of a cell; the default keeps thin objects such as a bicycle.</param>
    public ScenePatch[] Patches(int grid, float coverage = 0.3f)
    {
        if (grid <= 0 || Size % grid != 0)
        {
            throw new ArgumentException($"grid must divide the size {Size}; was {grid}.", nameof(grid));
        }

        var cell = Size / grid;
        var least = coverage * cell * cell;
        var owners = new int[grid * grid];
        Span<int> counts = stackalloc int[Annotation.Instances.Count + 1];
        for (var index = 0; index < owners.Length; index++)
        {
            owners[index] = CellOwner(counts, index / grid * cell, index % grid * cell, cell, least);
        }

        var middles = new float[owners.Length];
        for (var owner = 1; owner <= Annotation.Instances.Count; owner++)
        {
            ShareMiddle(owners, owner, grid, middles);
        }

        return [.. owners.Select((owner, index) => Patch(owner, middles[index]))];
    }

    private int CellOwner(Span<int> counts, int top, int left, int cell, float least)
    {
        counts.Clear();
        var best = Nobody;
        for (var y = top; y < top + cell; y++)
        {
            foreach (var owner in _owners.AsSpan((y * Size) + left, cell))
            {
                if (owner != Nobody && ++counts[owner] > counts[best])
                {
                    best = owner;
                }
            }
        }

        return counts[best] >= least ? best : Nobody;
    }

    /// <summary>
    /// Shares an object's middle among its own cells around the centre of its box, by how near they are (bilinear), and gives it to its nearest cell where it has none there. To name one cell alone
    /// would ask for a coin toss wherever the centre lies between two.
    /// </summary>
    private void ShareMiddle(int[] owners, int owner, int grid, float[] middles)
    {
        var box = Annotation.Instances[owner - 1].Box;
        var (column, row) = ((box.CentreX / Size * grid) - 0.5f, (box.CentreY / Size * grid) - 0.5f);
        var (sum, nearest, least) = (0f, -1, float.MaxValue);
        for (var index = 0; index < owners.Length; index++)
        {
            if (owners[index] == owner)
            {
                var (across, down) = (Math.Abs((index % grid) - column), Math.Abs((index / grid) - row));
                middles[index] = Math.Max(0, 1 - across) * Math.Max(0, 1 - down);
                sum += middles[index];
                var distance = (across * across) + (down * down);
                (nearest, least) = distance < least ? (index, distance) : (nearest, least);
            }
        }

        for (var index = 0; index < owners.Length; index++)
        {
            if (owners[index] == owner)
            {
                middles[index] = sum > 0 ? middles[index] / sum : index == nearest ? 1 : 0;
            }
        }
    }

    private ScenePatch Patch(int owner, float middle)
    {
        if (owner == Nobody)
        {
            return default;
        }

        var (category, box) = Annotation.Instances[owner - 1];
        return new ScenePatch((short)(_classes.IndexOf(category) + 1), box.CentreX / Size, box.CentreY / Size, MathF.Sqrt(box.Area) / Size, middle);
    }
}
