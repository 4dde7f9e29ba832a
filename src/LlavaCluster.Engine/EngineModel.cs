using LlavaCluster.Model.Text;

namespace LlavaCluster.Engine;

/// <summary>What the engine must know of the model it runs.</summary>
public sealed record EngineModel
{
    /// <summary>Logits of a row.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Positions a sequence may have.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>The id at image positions; never accepted as text and never drawn.</summary>
    public required int ImageTokenId { get; init; }

    /// <summary>Ids that end an answer.</summary>
    public required IReadOnlyList<int> EndTokens { get; init; }

    /// <summary>Texts that end an answer and are no part of it, beside the request's own; as an end token, not where a request ignores those.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>Ids that are never drawn: padding rows, pad and image tokens.</summary>
    public IReadOnlyList<int> ReservedTokens { get; init; } = [];

    /// <summary>Names the weights that make image features: vision tower and projector.</summary>
    public required ContentDigest Projector { get; init; }

    /// <summary>What every id adds to an answer, <see cref="VocabularySize"/> of them; empty where constrained output is not served.</summary>
    public IReadOnlyList<TokenText> TokenTexts { get; init; } = [];

    /// <summary>Makes the decoder of one answer.</summary>
    public required Func<ITextDecoder> CreateDecoder { get; init; }
}

/// <param name="Utf8">Possibly a part of a character; empty for ids that are no text.</param>
/// <param name="LosesFirstSpace">Its leading space vanishes where the token comes first in an answer.</param>
public readonly record struct TokenText(ReadOnlyMemory<byte> Utf8, bool LosesFirstSpace)
{
    /// <summary>What every row of a model's output adds to an answer, as its own tokenizer decodes it; rows beyond the tokenizer add nothing.</summary>
    public static IReadOnlyList<TokenText> Of(TextCodec codec, int rows) =>
        [.. Enumerable.Range(0, rows).Select(id => new TokenText(codec.Bytes(id), codec.LosesFirstSpace(id)))];
}

/// <summary>Turns one answer's tokens into text, piece by piece. What it gives depends on the tokens so far alone. One thread at a time.</summary>
public interface ITextDecoder
{
    /// <summary>The text that became certain with this token; empty while a character is unfinished.</summary>
    string Append(int token);

    /// <summary>What was held back, at the end of the answer.</summary>
    string Finish();
}
