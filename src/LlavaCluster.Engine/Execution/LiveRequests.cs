using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Scheduling;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// The requests that an engine holds, from their acceptance to the moment when everything they hold is given back: whatever ends one ends it here. One thread.
/// </summary>
internal sealed partial class LiveRequests(
    EngineOptions options, BlockAllocator allocator, ImageFeatureCache features, Scheduler scheduler, PixelPool pixels, TimeProvider time, EngineInstruments instruments, ILogger logger)
{
    private readonly KeyHasher _hasher = new();
    private readonly List<LiveRequest> _all = [];

    public IReadOnlyList<LiveRequest> All => _all;

    public static LiveRequest OwnerOf(Sequence sequence) => ((Choice)sequence.Tag!).Owner!;

    public void Add(LiveRequest request)
    {
        if (request.AllFinished)
        {
            // A resumed answer that was already complete.
            request.PublishReplayedEnds();
            request.Adapter?.Release();
            return;
        }

        _all.Add(request);
        foreach (var (key, image) in request.Images)
        {
            pixels.Add(key, image, features.Contains(key), request.Adapter is { ChangesFeatures: true } adapter ? adapter.Slot : AdapterPin.None);
        }

        for (var i = 0; i < request.Choices.Length; i++)
        {
            var choice = request.Choices[i];
            if (choice.Finish is null)
            {
                choice.Sequence = new Sequence(request.Specs[i], allocator, _hasher, options.BlockSize, choice);
                scheduler.Add(choice.Sequence);
            }
        }

        request.PublishReplayedEnds();
    }

    /// <summary>Lets go of cancelled requests, and pauses and resumes those whose stream is full.</summary>
    public void DropEnded(long now)
    {
        for (var i = _all.Count - 1; i >= 0; i--)
        {
            var request = _all[i];
            if (request.IsCancelled)
            {
                request.EndAll(FinishReason.Cancelled, null);
                Detach(request, "cancelled");
            }
            else if (request.Unread < options.UpdateBuffer)
            {
                if (request.FullSince is not null)
                {
                    Pause(request, null);
                }
            }
            else if (request.FullSince is not { } since)
            {
                Pause(request, now);
            }
            else if (time.GetElapsedTime(since, now) >= options.UnreadTimeout)
            {
                Fail(request, FailureKind.Unread, $"No update was read for {options.UnreadTimeout.TotalSeconds} s.");
            }
        }
    }

    /// <summary>The request has said all it will; gives back everything it holds.</summary>
    public void Finish(LiveRequest request) => Detach(request, "finished");

    public void Fail(LiveRequest request, FailureKind kind, string message)
    {
        if (!request.IsDone)
        {
            request.EndAll(FinishReason.Failed, new RequestFailure(kind, message));
            Detach(request, kind.ToString());
        }
    }

    /// <summary>Fails a request whose work threw.</summary>
    public void Fail(LiveRequest request, FailureKind kind, string message, Exception fault)
    {
        LogFault(logger, fault, request.Request.Id);
        Fail(request, kind, $"{message} ({fault.GetType().Name}).");
    }

    /// <summary>Ends every request with the same failure.</summary>
    public void FailAll(FailureKind kind, string message)
    {
        while (_all.Count > 0)
        {
            var request = _all[^1];
            request.EndAll(FinishReason.Failed, new RequestFailure(kind, message));
            Detach(request, kind.ToString());
        }
    }

    /// <summary>Ends every stream without touching what the requests hold, for a state that cannot be trusted.</summary>
    public void Abandon()
    {
        foreach (var request in _all)
        {
            request.EndAll(FinishReason.Failed, new RequestFailure(FailureKind.DeviceFault, "The engine failed."));
        }

        _all.Clear();
    }

    /// <summary>Fails the requests that need an image whose pixels could not be loaded.</summary>
    public void OnLoadFailed(CacheKey key, Exception error)
    {
        for (var i = _all.Count - 1; i >= 0; i--)
        {
            if (_all[i].Images.Any(image => image.Key == key))
            {
                Fail(_all[i], error);
            }
        }
    }

    // A refused picture says what is wrong with it; any other fault says no more than its kind.
    private void Fail(LiveRequest request, Exception loadFault)
    {
        if (loadFault is ImageRefusedException)
        {
            Fail(request, FailureKind.Image, loadFault.Message);
        }
        else
        {
            Fail(request, FailureKind.ImageUnread, "The pixels of an image could not be had", loadFault);
        }
    }

    private static void Pause(LiveRequest request, long? since)
    {
        request.FullSince = since;
        foreach (var choice in request.Choices)
        {
            if (choice.Sequence is { } sequence)
            {
                sequence.Paused = since is not null;
            }
        }
    }

    private void Detach(LiveRequest request, string outcome)
    {
        _all.Remove(request);
        foreach (var choice in request.Choices)
        {
            if (choice.Sequence is { } sequence)
            {
                scheduler.Remove(sequence);
            }
        }

        foreach (var (key, _) in request.Images)
        {
            pixels.Remove(key);
        }

        request.Adapter?.Release();
        instruments.OnFinished(time.GetElapsedTime(request.SubmittedAt), request.Usage(), outcome);
    }

    [LoggerMessage(LogLevel.Error, "Request {RequestId} failed.")]
    private static partial void LogFault(ILogger logger, Exception exception, string requestId);
}
