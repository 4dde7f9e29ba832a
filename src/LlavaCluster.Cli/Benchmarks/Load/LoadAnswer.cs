using System.Text;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>An answer while it comes in.</summary>
/// <param name="onText">Told after each piece of text how many there are.</param>
internal sealed class LoadAnswer(int turn, LoadClock clock, Action<int>? onText = null)
{
    private readonly TimeSpan _began = clock.Now;
    private readonly List<TimeSpan> _pieces = [];
    private readonly List<int> _lengths = [];
    private readonly StringBuilder _text = new();

    public int? Tokens { get; set; }

    public int? PromptTokens { get; set; }

    public int? CachedTokens { get; set; }

    public string? Fingerprint { get; set; }

    public string? Error { get; set; }

    /// <summary>Notes a piece of text and when it came; nothing for an empty one.</summary>
    public void Add(string text)
    {
        if (text.Length > 0)
        {
            _pieces.Add(clock.Now);
            _lengths.Add(text.Length);
            _text.Append(text);
            onText?.Invoke(_pieces.Count);
        }
    }

    /// <summary>The answer is over.</summary>
    public LoadRequest End() => new()
    {
        Turn = turn, Began = _began, Ended = clock.Now, Pieces = _pieces, Lengths = _lengths, Text = _text.ToString(), Tokens = Tokens ?? _pieces.Count,
        PromptTokens = PromptTokens, CachedTokens = CachedTokens, Fingerprint = Fingerprint, Error = Error ?? (_pieces.Count == 0 ? "no text" : null),
    };
}
