namespace LlavaCluster.Training.Scenes;

/// <summary>One object as the annotation names it: its class's name and its box.</summary>
public sealed record SceneInstance(string Category, BoundingBox Box);
