namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Names one scene: 2 bits of split, 22 bits of seed, 40 bits of index. Keys of different splits differ in their top bits,
/// whatever seed and index were chosen, so training and evaluation scenes are disjoint by construction.
/// </summary>
public readonly record struct SceneKey
{
    public const int SeedBits = 22;
    public const int IndexBits = 40;
    public const int MaxSeed = (1 << SeedBits) - 1;
    public const long MaxIndex = (1L << IndexBits) - 1;

    private SceneKey(ulong value) => Value = value;

    public ulong Value { get; }

    public SceneSplit Split => (SceneSplit)(Value >> (SeedBits + IndexBits));

    public int Seed => (int)((Value >> IndexBits) & MaxSeed);

    public long Index => (long)(Value & MaxIndex);

    public static SceneKey Create(SceneSplit split, int seed, long index)
    {
        if (!Enum.IsDefined(split))
        {
            throw new ArgumentOutOfRangeException(nameof(split), split, $"split must be Training, Validation or Evaluation; was {split}.");
        }

        if (seed is < 0 or > MaxSeed)
        {
            throw new ArgumentOutOfRangeException(nameof(seed), seed, $"seed must be between 0 and {MaxSeed}; was {seed}.");
        }

        if (index is < 0 or > MaxIndex)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"index must be between 0 and {MaxIndex}; was {index}.");
        }

        return new SceneKey(((ulong)split << (SeedBits + IndexBits)) | ((ulong)seed << IndexBits) | (ulong)index);
    }

    public override string ToString() => $"{Split.ToString().ToLowerInvariant()}-{Seed}-{Index}";
}
