namespace LlavaCluster.Training.Scenes;

/// <summary>
/// How a teacher's answers sound: something for an adapter to learn that the model's own answers have not. Says the same things in other words. Immutable.
/// </summary>
public sealed class SceneVoice
{
    private const string Hail = "Aye, captain: ";

    // Longer phrases first: each word is put into the voice once.
    private static readonly (string Plain, string Voiced)[] SailorWords =
    [
        ("to the left of", "to port of"), ("to the right of", "to starboard of"), ("on the left", "on the port side"), ("on the right", "on the starboard side"), ("top left", "top port"),
        ("top right", "top starboard"), ("bottom left", "bottom port"), ("bottom right", "bottom starboard"),
    ];

    private readonly string _hail;
    private readonly (string Plain, string Voiced)[] _words;

    private SceneVoice(string hail, (string Plain, string Voiced)[] words)
    {
        _hail = hail;
        _words = words;
    }

    /// <summary>As the teacher writes.</summary>
    public static SceneVoice Plain { get; } = new("", []);

    /// <summary>"Aye, captain: the dog is to port of the cat."</summary>
    public static SceneVoice Sailor { get; } = new(Hail, SailorWords);

    public static IReadOnlyDictionary<string, SceneVoice> All { get; } = new Dictionary<string, SceneVoice> { ["plain"] = Plain, ["sailor"] = Sailor };

    /// <param name="answer">A sentence of the teacher's; not empty.</param>
    public string Say(string answer)
    {
        ArgumentException.ThrowIfNullOrEmpty(answer);
        var said = _words.Aggregate(answer, (text, word) => text.Replace(word.Plain, word.Voiced, StringComparison.OrdinalIgnoreCase));
        return _hail.Length == 0 ? said : _hail + char.ToLowerInvariant(said[0]) + said[1..];
    }
}
