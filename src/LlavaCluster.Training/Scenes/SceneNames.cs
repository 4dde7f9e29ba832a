namespace LlavaCluster.Training.Scenes;

/// <summary>All the words that name a class, for reading answers. Immutable, thread-safe.</summary>
internal sealed class SceneNames
{
    // By first word, longest name first.
    private readonly Dictionary<string, List<(string[] Words, string Category, bool Plural)>> _names = [];

    public SceneNames(SceneClasses classes)
    {
        foreach (var item in classes.Items)
        {
            Add(item.Plural, item.Name, plural: item.Plural != item.Name);
            foreach (var singular in item.Also.Prepend(item.Name))
            {
                Add(singular, item.Name, plural: false);
                Add(singular + "s", item.Name, plural: true);
            }
        }

        foreach (var entries in _names.Values)
        {
            entries.Sort((first, second) => second.Words.Length.CompareTo(first.Words.Length));
        }
    }

    /// <summary>The longest name that begins at the word, or null.</summary>
    public (string Category, bool Plural, int Length)? Match(IReadOnlyList<string> words, int start)
    {
        if (!_names.TryGetValue(words[start], out var entries))
        {
            return null;
        }

        foreach (var (name, category, plural) in entries)
        {
            if (start + name.Length <= words.Count && name.Select((word, offset) => words[start + offset] == word).All(same => same))
            {
                return (category, plural, name.Length);
            }
        }

        return null;
    }

    private void Add(string name, string category, bool plural)
    {
        var words = name.Split(' ');
        if (!_names.TryGetValue(words[0], out var entries))
        {
            _names[words[0]] = entries = [];
        }

        if (!entries.Exists(entry => entry.Words.SequenceEqual(words)))
        {
            entries.Add((words, category, plural));
        }
    }
}
