namespace LlavaCluster.Model.Text;

/// <summary>One entry of a SentencePiece vocabulary; its index is its id.</summary>
/// <param name="Score">Higher merges first.</param>
internal readonly record struct SentencePiece(string Text, float Score, SentencePieceKind Kind);

/// <summary>The kinds of sentencepiece_model.proto.</summary>
internal enum SentencePieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}
