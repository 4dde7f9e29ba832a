namespace LlavaCluster.Training.Presets;

/// <summary>A model of the scenes preset that learns on.</summary>
/// <param name="Folder">The model.</param>
/// <param name="Tower">Whether its tower learns on first, as more artists' drawings ask for, and the projector is then aligned to it anew. Otherwise the last phase alone runs.</param>
public sealed record ScenesContinuation(string Folder, bool Tower);
