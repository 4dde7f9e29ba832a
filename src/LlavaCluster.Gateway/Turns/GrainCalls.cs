using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Turns;

/// <summary>
/// Calls grains across the loss of the nodes that hold them. A lost grain comes back elsewhere from its store, so a call that may be repeated is,
/// until it is answered or patience ends. That a grain could not be reached is a failure of its own, never an answer.
/// </summary>
internal sealed partial class GrainCalls(GatewayOptions options, TimeProvider time, ILogger<GrainCalls> logger)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>Between the loss and the first repetition.</summary>
    public static TimeSpan FirstPause { get; } = TimeSpan.FromMilliseconds(50);

    public static ChatFailure Lost { get; } =
        new(ChatFailureKind.ModelUnavailable, "The node that answers this is gone and no other took over in time. What was kept is kept: send the same request again.");

    /// <summary>Whether a call failed because of where its grain was, and not because of what it was asked.</summary>
    public static bool IsLoss(Exception exception) => exception is OrleansException or EnumerationAbortedException or TimeoutException;

    public static TimeSpan Longer(TimeSpan pause) => pause * 2 < LongestPause ? pause * 2 : LongestPause;

    public Task<Outcome<T>> RepeatAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken) => RepeatAsync(call, options.RecoveryPatience, cancellationToken);

    /// <param name="patience">How long to repeat a call whose grain is lost; zero: call once.</param>
    public async Task<Outcome<T>> RepeatAsync<T>(Func<Task<T>> call, TimeSpan patience, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = Longer(pause))
        {
            try
            {
                return await call();
            }
            catch (Exception exception) when (IsLoss(exception) && !cancellationToken.IsCancellationRequested)
            {
                if (time.GetElapsedTime(began) >= patience)
                {
                    LogGaveUp(logger, exception);
                    return Lost;
                }
            }

            await Task.Delay(pause, time, cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A grain could not be reached in time")]
    private static partial void LogGaveUp(ILogger logger, Exception exception);
}
