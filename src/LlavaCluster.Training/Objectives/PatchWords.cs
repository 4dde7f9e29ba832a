namespace LlavaCluster.Training.Objectives;

/// <summary>Words, as token ids, for what the boxes say of a patch; a word of several tokens stands at the mean of their embeddings.</summary>
/// <param name="Names">Of each label, the background's first.</param>
/// <param name="Left">With <paramref name="Right"/>, the ends of the line on which X lies.</param>
/// <param name="Top">With <paramref name="Bottom"/>, the ends of the line on which Y lies.</param>
/// <param name="Centre">Said of what lies neither left nor right, neither at the top nor at the bottom.</param>
/// <param name="Smallest">With <paramref name="Largest"/>, the ends of the line on which the size lies.</param>
/// <param name="Middle">Said where an object has its middle.</param>
/// <param name="Every">Said of every patch.</param>
public sealed record PatchWords(
    IReadOnlyList<IReadOnlyList<int>> Names,
    IReadOnlyList<int> Left,
    IReadOnlyList<int> Right,
    IReadOnlyList<int> Top,
    IReadOnlyList<int> Bottom,
    IReadOnlyList<int> Centre,
    IReadOnlyList<int> Smallest,
    IReadOnlyList<int> Largest,
    IReadOnlyList<int> Middle,
    IReadOnlyList<int> Every);
