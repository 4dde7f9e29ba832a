namespace LlavaCluster.Engine.Constraints;

/// <summary>Bounds on what a constraint may cost. They make compiling and masking take bounded time whatever a client sends.</summary>
internal static class ConstraintLimits
{
    public const int MaxChoices = 1024;

    /// <summary>UTF-16 units of all choices together, of a pattern, and of a schema.</summary>
    public const int MaxChoiceCharacters = 65_536;

    public const int MaxPatternCharacters = 4096;

    public const int MaxSchemaCharacters = 65_536;

    /// <summary>Groups within groups of a pattern.</summary>
    public const int MaxPatternDepth = 64;

    /// <summary>Largest m or n of {m,n}, minLength, maxLength, minItems and maxItems.</summary>
    public const int MaxRepeat = 4096;

    /// <summary>Objects and arrays within each other in the text of a schema.</summary>
    public const int MaxSchemaDepth = 64;

    /// <summary>Values of one enum.</summary>
    public const int MaxEnumValues = 1024;

    /// <summary>Properties of one object.</summary>
    public const int MaxProperties = 256;

    /// <summary>UTF-16 units of a property's name.</summary>
    public const int MaxNameCharacters = 256;

    /// <summary>Branches of one anyOf or oneOf.</summary>
    public const int MaxBranches = 64;

    /// <summary>Nodes of the automaton after repetitions are written out.</summary>
    public const int MaxNodes = 200_000;

    /// <summary>Rules within rules at run time; JSON nests about as deep, less three.</summary>
    public const int MaxStack = 64;

    /// <summary>Readings of the text so far that may be open at once.</summary>
    public const int MaxConfigurations = 4096;

    /// <summary>Memory of one automaton's states and masks, in readings of 16 bytes; beyond it the memory starts anew.</summary>
    public const int MaxRemembered = 1 << 18;

    /// <summary>Readings looked at to make one mask, on the device thread: about a tenth of a second, where JSON takes some milliseconds.</summary>
    public const long MaxMaskWork = 1_000_000;

    /// <summary>Readings looked at for all masks of one answer: about two seconds of the device thread, where JSON comes to a fraction of one.</summary>
    public const long MaxAnswerWork = 20 * MaxMaskWork;

    /// <summary>Comparisons of values to show that the branches of a oneOf exclude each other.</summary>
    public const int MaxComparisons = 1_000_000;
}
