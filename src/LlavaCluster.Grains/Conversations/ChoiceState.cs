using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Grains.Conversations;

/// <summary>What is durable of one choice of an answer.</summary>
internal sealed class ChoiceState
{
    private readonly StringBuilder _text = new();
    private readonly List<int> _tokens = [];

    public IReadOnlyList<int> Tokens => _tokens;

    public FinishReason? Finish { get; private set; }

    public string Text => _text.ToString();

    public void Apply(Emission emission)
    {
        if (emission.Token >= 0)
        {
            _tokens.Add(emission.Token);
        }

        _text.Append(emission.Text);
        Finish ??= emission.Finish;
    }
}
