namespace LlavaCluster.Model.Weights;

/// <summary>The stack of a pickle machine, with the marks that open groups. What a damaged or hostile pickle does wrong with it is refused by the file's name.</summary>
internal sealed class PickleStack(string path)
{
    private static readonly object Opened = new();

    private readonly List<object?> _values = [];

    public static CheckpointException Broken(string path, string reason) => new(path, $"its pickle {reason}.");

    public void Push(object? value) => _values.Add(value);

    /// <summary>Opens a group.</summary>
    public void Mark() => Push(Opened);

    public object? Peek() => _values.Count > 0 ? _values[^1] : throw Broken("takes from an empty stack");

    public object? Pop()
    {
        var value = Peek();
        _values.RemoveAt(_values.Count - 1);
        return value;
    }

    /// <summary>The topmost values, the lowest first.</summary>
    public object?[] PopMany(int count)
    {
        if (_values.Count < count)
        {
            throw Broken("takes from an empty stack");
        }

        var values = _values.GetRange(_values.Count - count, count).ToArray();
        _values.RemoveRange(_values.Count - count, count);
        return values;
    }

    /// <summary>Closes the group that was opened last and gives its values.</summary>
    public object?[] PopToMark()
    {
        var mark = _values.LastIndexOf(Opened);
        if (mark < 0)
        {
            throw Broken("closes a group that it never opened");
        }

        var values = PopMany(_values.Count - mark - 1);
        _ = Pop();
        return values;
    }

    public T Top<T>() => As<T>(Peek());

    public T As<T>(object? value) => value is T typed ? typed : throw Broken($"holds {value?.GetType().Name ?? "None"} where {typeof(T).Name} belongs");

    private CheckpointException Broken(string reason) => Broken(path, reason);
}
