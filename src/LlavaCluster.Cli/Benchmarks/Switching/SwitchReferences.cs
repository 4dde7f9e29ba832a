using LlavaCluster.Cli.Benchmarks.Load;

namespace LlavaCluster.Cli.Benchmarks.Switching;

/// <summary>Each version's answer to each question, from when it alone was in use; and what is wrong with another answer.</summary>
internal sealed class SwitchReferences(IReadOnlyList<string> versions)
{
    private readonly Dictionary<string, List<string>> _texts = versions.ToDictionary(version => version, _ => new List<string>());

    public IReadOnlyList<string> Versions => versions;

    /// <summary>Questions that two versions answer alike.</summary>
    public int Alike => Enumerable.Range(0, _texts[versions[0]].Count).Count(question => _texts.Values.Select(texts => texts[question]).Distinct().Count() < versions.Count);

    /// <summary>Takes the answer to the version's next question.</summary>
    /// <exception cref="InvalidDataException">There is none, or it is another version's.</exception>
    public void Add(string version, LoadRequest answer)
    {
        if (answer.Error is not null || answer.Fingerprint != version)
        {
            throw new InvalidDataException($"Version {Short(version)} was alone in use, but {answer.Error ?? $"the answer names {Short(answer.Fingerprint)}"}.");
        }

        _texts[version].Add(answer.Text);
    }

    /// <summary>Null for a right answer, and for one that failed.</summary>
    public string? Problem(int question, LoadRequest answer, TrafficHistory history)
    {
        if (answer.Error is not null)
        {
            return null;
        }

        if (!history.MayAnswer(answer.Fingerprint, answer.Began, answer.Began + answer.FirstToken))
        {
            return $"question {question} was answered by {Short(answer.Fingerprint)}, which had no traffic then.";
        }

        var reference = _texts[answer.Fingerprint!][question];
        if (reference == answer.Text)
        {
            return null;
        }

        var other = versions.FirstOrDefault(version => _texts[version][question] == answer.Text);
        var same = reference.Zip(answer.Text).TakeWhile(pair => pair.First == pair.Second).Count();
        return $"question {question} of {Short(answer.Fingerprint)}: {(other is null ? "no version's answer" : $"the answer of {Short(other)}")}, another from character {same} of {reference.Length}.";
    }

    private static string Short(string? version) => version is { Length: >= 8 } ? version[..8] : version ?? "no version";
}
