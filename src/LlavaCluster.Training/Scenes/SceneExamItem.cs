namespace LlavaCluster.Training.Scenes;

/// <summary>One question of an examination and the key of the picture it is about.</summary>
public sealed record SceneExamItem(SceneKey Key, SceneQuestion Question);
