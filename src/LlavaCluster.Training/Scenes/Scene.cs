namespace LlavaCluster.Training.Scenes;

/// <summary>A drawn picture with its annotation. Immutable, owned by whoever asked for it.</summary>
public sealed class Scene
{
    /// <summary>Dense label of a cell that no object covers; class c has label c + 1.</summary>
    public const int BackgroundLabel = 0;

    private readonly short[] _owners; // [size, size]: dense label of the topmost visible object
    private readonly byte[] _pixels;

    internal Scene(SceneKey key, int size, byte[] pixels, short[] owners, int classCount, SceneAnnotation annotation)
    {
        Key = key;
        Size = size;
        ClassCount = classCount;
        Annotation = annotation;
        _pixels = pixels;
        _owners = owners;
    }

    public SceneKey Key { get; }

    /// <summary>Side in pixels.</summary>
    public int Size { get; }

    public int ClassCount { get; }

    public SceneAnnotation Annotation { get; }

    /// <summary>RGB, 8 bits each, [size, size, 3] row-major.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>
    /// What each cell of a grid x grid raster shows, row-major: 0 for background, class index + 1 for the class that covers
    /// most of the cell's pixels, if it covers at least <paramref name="coverage"/> of the cell.
    /// </summary>
    /// <param name="grid">Cells per side; must divide <see cref="Size"/>.</param>
    /// <param name="coverage">Least covered share of a cell; the default keeps thin objects such as a bicycle.</param>
    public short[] DenseLabels(int grid, float coverage = 0.3f)
    {
        if (grid <= 0 || Size % grid != 0)
        {
            throw new ArgumentException($"grid must divide the size {Size}; was {grid}.", nameof(grid));
        }

        var cell = Size / grid;
        var least = coverage * cell * cell;
        var labels = new short[grid * grid];
        Span<int> counts = new int[ClassCount + 1];
        for (var index = 0; index < labels.Length; index++)
        {
            labels[index] = CellLabel(counts, index / grid * cell, index % grid * cell, cell, least);
        }

        return labels;
    }

    private short CellLabel(Span<int> counts, int top, int left, int cell, float least)
    {
        counts.Clear();
        var best = BackgroundLabel;
        for (var y = top; y < top + cell; y++)
        {
            foreach (var owner in _owners.AsSpan(y * Size + left, cell))
            {
                if (owner != BackgroundLabel && ++counts[owner] > counts[best])
                {
                    best = owner;
                }
            }
        }

        return (short)(counts[best] >= least ? best : BackgroundLabel);
    }
}
