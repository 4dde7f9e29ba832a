using System.Collections.Frozen;
using System.Text.Json;

namespace LlavaCluster.Training.Scenes;

/// <summary>The closed list of classes, in file order: a class's index is its dense label. Immutable, thread-safe.</summary>
public sealed class SceneClasses
{
    private const string ResourceName = "scenes-classes.json";
    private static readonly Lazy<SceneClasses> Embedded = new(LoadEmbedded);
    private readonly FrozenDictionary<string, int> _indexByName;

    public SceneClasses(IReadOnlyList<SceneClass> items)
    {
        ArgumentOutOfRangeException.ThrowIfZero(items.Count);
        Items = items;
        _indexByName = items.Select((item, index) => (item.Name, index)).ToFrozenDictionary(pair => pair.Name, pair => pair.index);
    }

    /// <summary>The classes the shipped model is trained on.</summary>
    public static SceneClasses Default => Embedded.Value;

    public IReadOnlyList<SceneClass> Items { get; }

    public int Count => Items.Count;

    public SceneClass this[int index] => Items[index];

    public SceneClass this[string name] => Items[IndexOf(name)];

    public int IndexOf(string name) => _indexByName.TryGetValue(name, out var index)
        ? index
        : throw new ArgumentException($"category must be one of the {Count} scene classes; was '{name}'.", nameof(name));

    private static SceneClasses LoadEmbedded()
    {
        using var stream = typeof(SceneClasses).Assembly.GetManifestResourceStream(ResourceName)
            ?? throw new InvalidOperationException($"The assembly lacks its resource {ResourceName}.");
        var items = JsonSerializer.Deserialize<List<SceneClass>>(stream, JsonSerializerOptions.Web)
            ?? throw new InvalidOperationException($"{ResourceName} holds no classes.");
        return new SceneClasses(items);
    }
}
