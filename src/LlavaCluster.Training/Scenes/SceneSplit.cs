namespace LlavaCluster.Training.Scenes;

/// <summary>What a scene is for. The split is part of the scene's key, so no scene can belong to two.</summary>
public enum SceneSplit
{
    Training = 0,
    Validation = 1,
    Evaluation = 2,
}
