namespace LlavaCluster.Training.Data.Conversations;

/// <summary>A record that cannot be trained on, and why.</summary>
/// <param name="Index">From 0, in the file.</param>
/// <param name="Id">The record's own; null where it has none, or none could be read.</param>
/// <param name="Reason">Rule and value, at most some hundred characters.</param>
public sealed record BadRecord(int Index, string? Id, BadRecordKind Kind, string Reason);

public enum BadRecordKind
{
    /// <summary>It is not JSON, or not an object.</summary>
    NotAnObject,

    /// <summary>A field is missing or of another type.</summary>
    Malformed,

    UnknownRole,

    WrongTurnOrder,

    EmptyAnswer,

    /// <summary>Pictures and the places where they stand differ in number.</summary>
    PictureCount,

    MissingPicture,

    /// <summary>Its file cannot be decoded, or is beyond the bounds of a picture.</summary>
    BrokenPicture,

    /// <summary>More tokens than a sample may have.</summary>
    TooLong,

    /// <summary>More bytes or pictures than a record may have.</summary>
    TooLarge,

    DuplicateId,

    /// <summary>The tokeniser makes one token of learned and other text, so that no label is right.</summary>
    Unlabelled,
}
