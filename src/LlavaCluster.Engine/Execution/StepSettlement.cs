using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Engine.Execution;

/// <summary>Makes tokens, failures and findable caches of what a step computed. One thread.</summary>
internal sealed partial class StepSettlement(
    StepExecutor executor, Scheduler scheduler, ImageFeatureCache features, PixelPool pixels, LiveRequests requests, TokenPublisher publisher, ILogger logger)
{
    /// <summary>Nothing came out of the last step, and the device computes nothing else either.</summary>
    public bool DeviceIsLost { get; private set; }

    /// <summary>Rows whose next token was drawn, and guesses that were right.</summary>
    public (int Sampled, int Right) Settle(StepPlan plan)
    {
        SettleImages(plan);
        return SettleRows(plan);
    }

    private void SettleImages(StepPlan plan)
    {
        if (plan.Part is { } part)
        {
            var failed = executor.FailedSlots.TryGetValue(part.Image.Slot, out var fault);
            if (failed)
            {
                LogPartFailed(logger, fault!, part.Image.Tokens);
            }

            scheduler.CommitPart(part, failed);
            if (part.IsLast && !failed)
            {
                pixels.Encoded(part.Image.Key);
            }
        }

        foreach (var encode in plan.Encodes)
        {
            if (executor.FailedSlots.ContainsKey(encode.Slot))
            {
                features.MarkFailed(encode.Slot);
            }
            else
            {
                features.MarkReady(encode.Slot);
                pixels.Encoded(encode.Key);
            }
        }
    }

    /// <summary>Rows whose next token was drawn, and guesses that were right.</summary>
    private (int Sampled, int Right) SettleRows(StepPlan plan)
    {
        var (sampled, right, failed) = (0, 0, 0);
        for (var i = 0; i < plan.Rows.Count; i++)
        {
            var row = plan.Rows[i];
            var result = executor.Results[i];
            var request = LiveRequests.OwnerOf(row.Sequence);
            if (result.Fault is not null)
            {
                failed++;
            }
            else if (!request.IsDone)
            {
                var samples = row.Samples;
                scheduler.Commit(row);
                if (samples)
                {
                    sampled++;
                    right += PublishAll(request, row, result);
                }
            }
        }

        if (failed > 0)
        {
            FailRows(plan, failed);
        }

        return (sampled, right);
    }

    private void FailRows(StepPlan plan, int failed)
    {
        // Where anything came out, the device works and the fault is the rows' own. Otherwise it is asked, for a lost device and a poisoned request look alike.
        var nothingCameOut = failed == plan.Rows.Count && executor.FailedSlots.Count == plan.Encodes.Count + (plan.Part is null ? 0 : 1);
        DeviceIsLost = nothingCameOut && !executor.DeviceAnswers();
        for (var i = 0; i < plan.Rows.Count; i++)
        {
            if (executor.Results[i].Fault is { } fault)
            {
                var kind = DeviceIsLost ? FailureKind.DeviceFault : executor.FailedSlots.ContainsValue(fault) ? FailureKind.Image : FailureKind.Poisoned;
                requests.Fail(LiveRequests.OwnerOf(plan.Rows[i].Sequence), kind, "The model could not compute this request", fault);
            }
        }
    }

    // A guess that comes true was computed already: its logits give the next token. Draws depend on nothing but logits and positions, so they are those of a run without guesses.
    private int PublishAll(LiveRequest request, in StepRow row, RowResult result)
    {
        var (sequence, known, right) = (row.Sequence, row.Start + row.Count, 0);
        while (Publish(request, sequence, executor.ScoresOf(result, right)))
        {
            while (right < row.Guesses && known + right < sequence.Length && sequence.Tokens[known + right] == sequence.Guess[right])
            {
                right++;
            }

            if (right > 0)
            {
                scheduler.Commit(row with { Count = row.Count + right });
            }

            if (known + right < sequence.Length)
            {
                break;
            }
        }

        sequence.Guesses.Add(row.Guesses, right);
        return right;
    }

    /// <summary>Whether the choice goes on.</summary>
    private bool Publish(LiveRequest request, Sequence sequence, RowScores scores)
    {
        var choice = (Choice)sequence.Tag!;
        try
        {
            if (publisher.Publish(request, choice, scores) is { } failure)
            {
                DistrustIfBroken(request, failure);
                requests.Fail(request, failure.Kind, failure.Message);
                return false;
            }
        }
        catch (Exception fault)
        {
            // The edge of fault isolation: a constraint or a decoder that throws fails its own request.
            requests.Fail(request, FailureKind.Poisoned, "The answer's next token could not be drawn", fault);
            return false;
        }

        if (request.IsDone)
        {
            requests.Finish(request);
        }
        else if (choice.Finish is not null)
        {
            scheduler.Remove(sequence);
        }

        return choice.Finish is null && !request.IsDone;
    }

    // Prompts are cached chunk by chunk, long before their scores tell whether what was computed makes sense.
    private void DistrustIfBroken(LiveRequest request, RequestFailure failure)
    {
        if (failure.Kind != FailureKind.NotFinite)
        {
            return;
        }

        foreach (var choice in request.Choices)
        {
            if (choice.Sequence is { } sequence)
            {
                scheduler.Distrust(sequence);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "A picture of {Tokens} tokens could not be encoded in parts; it is tried again as a whole.")]
    private static partial void LogPartFailed(ILogger logger, Exception fault, int tokens);
}
