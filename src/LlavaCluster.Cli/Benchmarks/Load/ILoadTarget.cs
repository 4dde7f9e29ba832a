using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>What is asked under load. Thread-safe.</summary>
internal interface ILoadTarget
{
    /// <summary>Where it is.</summary>
    string Name { get; }

    string Model { get; }

    /// <summary>One answer, or why there was none; throws only when cancelled.</summary>
    /// <param name="turn">Of its chat, from 0.</param>
    /// <param name="messages">As OpenAI's chat completions take them.</param>
    /// <param name="clock">Tells the times that are noted.</param>
    Task<LoadRequest> AskAsync(int turn, JsonArray messages, LoadClock clock, CancellationToken cancellationToken);
}

/// <summary>Time since it was made: what times of a level count from.</summary>
internal readonly struct LoadClock(TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();

    public TimeSpan Now => time.GetElapsedTime(_began);
}
