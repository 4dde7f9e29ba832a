namespace LlavaCluster.Engine.Sampling;

/// <summary>The bounds of <see cref="SamplingOptions"/> that do not depend on the model. Ends are inclusive unless said otherwise.</summary>
public static class SamplingLimits
{
    public const double MaxTemperature = 2;

    public const double MinRepetitionPenalty = 0.01;

    public const double MaxRepetitionPenalty = 10;

    /// <summary>Frequency and presence penalties lie within plus and minus this.</summary>
    public const double MaxPenalty = 2;

    /// <summary>A bias lies within plus and minus this; 100 is in effect a ban or an order.</summary>
    public const double MaxBias = 100;

    public const int MaxBiases = 1024;

    public const int MaxTopLogprobs = 20;

    public const int MaxChoices = 8;

    public const int MaxStops = 4;

    /// <summary>UTF-16 units of one stop text.</summary>
    public const int MaxStopLength = 256;
}
