namespace LlavaCluster.Training.Scenes;

/// <summary>One artist's encoded pictures (PNG or WebP), one per class, in the order of the classes; null for what the artist never drew.</summary>
public sealed record ArtworkSet(string Artist, IReadOnlyList<ReadOnlyMemory<byte>?> Pictures);
