namespace LlavaCluster.Engine;

/// <summary>What <see cref="PromptImage.LoadPixels"/> throws when the picture itself is at fault. Its message reaches whoever asked: the rule and the value, nothing of the picture.</summary>
public sealed class ImageRefusedException(string message) : Exception(message);
