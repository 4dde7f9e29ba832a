namespace LlavaCluster.Grains.Workers;

/// <summary>What a request calls a model: a base, or <c>base:adapter</c>. A served base may have a colon in its own name.</summary>
/// <param name="Adapter">Null for the base itself.</param>
internal readonly record struct ModelName(string Base, string? Adapter)
{
    /// <param name="isServed">Whether there is a base of a name.</param>
    public static ModelName Parse(string text, Func<string, bool> isServed)
    {
        var colon = isServed(text) ? -1 : text.LastIndexOf(':');
        return colon > 0 ? new ModelName(text[..colon], text[(colon + 1)..]) : new ModelName(text, null);
    }
}
