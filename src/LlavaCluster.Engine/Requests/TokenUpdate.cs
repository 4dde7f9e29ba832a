using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine;

/// <summary>One token of one choice, or the end of a choice that comes without a token.</summary>
public readonly record struct TokenUpdate
{
    /// <summary>Stands in <see cref="Token"/> where a choice ended without one more token.</summary>
    public const int NoToken = -1;

    /// <summary>Index of the choice, from 0.</summary>
    public required int Choice { get; init; }

    /// <summary>Index of the token in its choice, from 0, resumed ones counted; where there is no token, the number of tokens.</summary>
    public required int Index { get; init; }

    public required int Token { get; init; }

    /// <summary>Text that became certain with this token: often empty, since unfinished characters and beginnings of stop texts are held back.</summary>
    public required string Text { get; init; }

    /// <summary>Natural logarithm of the token's probability under the model; NaN unless asked for.</summary>
    public float Logprob { get; init; }

    /// <summary>The likeliest tokens, best first; null unless asked for.</summary>
    public TokenLogprob[]? TopLogprobs { get; init; }

    /// <summary>Set on the last update of a choice.</summary>
    public FinishReason? Finish { get; init; }

    /// <summary>Set with <see cref="FinishReason.Failed"/>.</summary>
    public RequestFailure? Failure { get; init; }

    /// <summary>Set on the last update of the request.</summary>
    public RequestUsage? Usage { get; init; }
}
