using LlavaCluster.Model;
using LlavaCluster.Training.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Objectives;

/// <summary>
/// What the boxes say of a patch, as a sum of words: the name of what covers it, the words for the ninth of the picture in which that object lies, a point on the line from
/// "left" to "right" for its centre, likewise for its height and its size, and a word for the patch's share of the object's middle. The words of the ninth are those of the answers, so that a
/// reader who found the name has only to repeat them; the lines tell which of two is further left. One word is said of every patch: a reader who looks for a name tells it
/// from that name in the text. Immutable; holds no tensor.
/// </summary>
public sealed class PatchWords
{
    private const float Third = 1f / 3, Border = 0.1f; // from one ninth to the next a word fades over a tenth of the picture: no projector can tell closer
    private const float MiddlePlace = 0.5f, MiddleSize = 0.35f; // what lies halfway between two words
    private const float PlaceStrength = 1.5f; // an object's middle lies within 0.2 to 0.8: its place is then about as long as its name
    private const float SizeStrength = 1 / 0.3f; // sizes of 0.2 to 0.5 use the whole line
    private static readonly string[] Others = ["left", "right", "top", "bottom", "center", "smallest", "largest", "object", "picture"];

    private readonly long[] _ids; // of all words, one after the other
    private readonly float[] _shares; // [Count, ids]: a word of several tokens stands at the mean of their embeddings

    /// <param name="names">Of each label, the background's first.</param>
    /// <param name="tokens">Ids of a word inside a sentence; at least one.</param>
    public PatchWords(IReadOnlyList<string> names, Func<string, IReadOnlyList<int>> tokens)
    {
        List<IReadOnlyList<int>> words = [.. names.Concat(Others).Select(tokens)];
        Names = names.Count;
        Count = words.Count;
        _ids = [.. words.SelectMany(ids => ids).Select(id => (long)id)];
        _shares = new float[Count * _ids.Length];
        for (int word = 0, at = 0; word < Count; at += words[word].Count, word++)
        {
            _shares.AsSpan((word * _ids.Length) + at, words[word].Count).Fill(1f / words[word].Count);
        }
    }

    /// <summary>Labels; their names are the first words.</summary>
    public int Names { get; }

    /// <summary>Words in all.</summary>
    public int Count { get; }

    /// <summary>[Count, hidden]: the network's embeddings of the words, with their graph. Belongs to the caller's scope.</summary>
    public Tensor Embeddings(LlavaNetwork network) => tensor(_shares, [Count, _ids.Length]).matmul(network.Embed(tensor(_ids)));

    /// <summary>How much of each word the patches say: [patches, Count] flat.</summary>
    public float[] Weigh(IReadOnlyList<ScenePatch> patches)
    {
        var weights = new float[patches.Count * Count];
        for (var i = 0; i < patches.Count; i++)
        {
            Weigh(patches[i], weights.AsSpan(i * Count, Count));
        }

        return weights;
    }

    private void Weigh(ScenePatch patch, Span<float> weights)
    {
        weights[patch.Label] = 1;
        var others = weights[Names..];
        others[8] = 1;
        if (patch.Label == Scene.BackgroundLabel)
        {
            return;
        }

        var (left, right, top, bottom) = (Beyond(Third - patch.X), Beyond(patch.X - (2 * Third)), Beyond(Third - patch.Y), Beyond(patch.Y - (2 * Third)));
        var (x, y, size) = ((patch.X - MiddlePlace) * PlaceStrength, (patch.Y - MiddlePlace) * PlaceStrength, (patch.Size - MiddleSize) * SizeStrength);
        ReadOnlySpan<float> said = [left - x, right + x, top - y, bottom + y, (1 - left - right) * (1 - top - bottom), -size, size, patch.Middle];
        said.CopyTo(others);
    }

    private static float Beyond(float distance) => Math.Clamp((distance / Border) + 0.5f, 0, 1);
}
