namespace LlavaCluster.Training.Scenes;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood 2014): a small generator whose numbers are the same on every platform and runtime,
/// so that a scene is a pure function of its key. Not thread-safe; one per scene.
/// </summary>
internal sealed class SceneRandom(ulong state)
{
    private const ulong Gamma = 0x9E3779B97F4A7C15UL;
    private ulong _state = state;

    /// <summary>A generator for the key and a purpose: pictures, captions and questions of one scene draw from different streams.</summary>
    public static SceneRandom For(SceneKey key, ulong purpose) => new(Mix(key.Value ^ Mix(purpose)));

    /// <summary>A generator for a picture known by its id only, a seed and a purpose.</summary>
    public static SceneRandom For(string imageId, ulong seed, ulong purpose)
    {
        var hash = 14695981039346656037UL; // FNV-1a
        foreach (var character in imageId)
        {
            hash = (hash ^ character) * 1099511628211UL;
        }

        return new(Mix(Mix(Mix(hash) ^ seed) ^ purpose));
    }

    /// <summary>A generator for a seed and what else its numbers follow from.</summary>
    public static SceneRandom For(ulong seed, params ReadOnlySpan<ulong> keys)
    {
        var state = Mix(seed + Gamma);
        foreach (var key in keys)
        {
            state = Mix(state ^ Mix(key + Gamma));
        }

        return new(state);
    }

    public ulong NextUInt64() => Mix(_state += Gamma);

    /// <summary>Uniform in [0, 1).</summary>
    public float NextSingle() => (NextUInt64() >> 40) * (1.0f / (1 << 24));

    /// <summary>Uniform in [low, high).</summary>
    public float Range(float low, float high) => low + (high - low) * NextSingle();

    /// <summary>Uniform in [0, bound).</summary>
    public int Next(int bound) => (int)(((UInt128)NextUInt64() * (ulong)bound) >> 64);

    public bool Chance(float probability) => NextSingle() < probability;

    public T Pick<T>(IReadOnlyList<T> items) => items[Next(items.Count)];

    /// <summary>Fisher-Yates in place.</summary>
    public void Shuffle<T>(IList<T> items)
    {
        for (var i = items.Count - 1; i > 0; i--)
        {
            var j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>An index drawn with probability proportional to its weight.</summary>
    public int PickWeighted(ReadOnlySpan<float> weights)
    {
        var total = 0f;
        foreach (var weight in weights)
        {
            total += weight;
        }

        var point = NextSingle() * total;
        for (var i = 0; i < weights.Length - 1; i++)
        {
            point -= weights[i];
            if (point < 0)
            {
                return i;
            }
        }

        return weights.Length - 1;
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
        return value ^ (value >> 31);
    }
}
