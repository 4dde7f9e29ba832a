namespace LlavaCluster.Engine;

/// <summary>What a request consumed.</summary>
/// <param name="PromptTokens">Positions of the prompt, images included.</param>
/// <param name="ImageTokens">Those of them that images fill.</param>
/// <param name="CachedTokens">Those of the prompt whose keys and values were found in the prefix cache (first choice).</param>
/// <param name="CompletionTokens">Tokens of all choices, resumed ones included.</param>
public sealed record RequestUsage(int PromptTokens, int ImageTokens, int CachedTokens, int CompletionTokens);
