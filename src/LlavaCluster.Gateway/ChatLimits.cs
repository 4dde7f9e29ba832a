namespace LlavaCluster.Gateway;

/// <summary>Bounds of one chat request; a request over one is refused with the bound and its value.</summary>
public sealed class ChatLimits
{
    /// <summary>Default: 1024.</summary>
    public int MaxMessages { get; set; } = 1024;

    /// <summary>Pictures in one request. Default: 16.</summary>
    public int MaxImages { get; set; } = 16;

    /// <summary>Tokens of an answer whose request names no bound, less where the context is smaller. Default: 1024.</summary>
    public int DefaultMaxTokens { get; set; } = 1024;

    /// <summary>Choices drawn in parallel. Default: 8.</summary>
    public int MaxChoices { get; set; } = 8;

    /// <summary>Stop texts. Default: 4.</summary>
    public int MaxStops { get; set; } = 4;

    /// <summary>Characters of one stop text. Default: 256.</summary>
    public int MaxStopLength { get; set; } = 256;

    /// <summary>Alternatives of each token. Default: 20.</summary>
    public int MaxTopLogprobs { get; set; } = 20;

    /// <summary>Default: 300.</summary>
    public int MaxLogitBiases { get; set; } = 300;

    /// <summary>Characters of a JSON schema, a regular expression, or all choices together. Default: 65,536.</summary>
    public int MaxConstraintLength { get; set; } = 65_536;

    /// <summary>Texts of a choice constraint. Default: 256.</summary>
    public int MaxConstraintChoices { get; set; } = 256;

    /// <summary>Levels of a JSON body. Default: 64.</summary>
    public int MaxJsonDepth { get; set; } = 64;
}
