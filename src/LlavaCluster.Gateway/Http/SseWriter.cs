using System.Globalization;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlavaCluster.Gateway.Http;

/// <summary>Writes server-sent events (WHATWG HTML, section 9.2). One writer a response, used by one task at a time.</summary>
internal sealed class SseWriter(HttpContext context, GatewayOptions options, TimeProvider time)
{
    private static readonly ReadOnlyMemory<byte> DataField = "data: "u8.ToArray();
    private static readonly ReadOnlyMemory<byte> EndOfEvent = "\n\n"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> Done = "data: [DONE]\n\n"u8.ToArray();
    private static readonly ReadOnlyMemory<byte> Comment = ": alive\n\n"u8.ToArray();

    private readonly Stream _body = context.Response.Body;
    private bool _begun;

    /// <param name="id">What a client sends back as Last-Event-ID to go on after this event; null for an event that is not worth resuming from.</param>
    /// <param name="name">The event's name, where the protocol has names.</param>
    public async Task WriteAsync(object data, long? id, string? name, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        if (name is not null)
        {
            buffer.Write(System.Text.Encoding.UTF8.GetBytes($"event: {name}\n"));
        }

        if (id is not null)
        {
            buffer.Write(System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {id}\n")));
        }

        buffer.Write(DataField.Span);
        JsonSerializer.Serialize(buffer, data, Json.Options);
        buffer.Write(EndOfEvent.Span);
        await _body.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), cancellationToken);
        await _body.FlushAsync(cancellationToken);
    }

    public async Task WriteDoneAsync(CancellationToken cancellationToken)
    {
        await _body.WriteAsync(Done, cancellationToken);
        await _body.FlushAsync(cancellationToken);
    }

    /// <summary>Passes each event to the stream and keeps the connection alive with comments while none comes.</summary>
    /// <param name="refuse">
    /// Null, and the response begins at once. Otherwise with the first event that says something, or with the first comment: what fails before is no stream
    /// but has the status of the failure, which this gives in the protocol's words.
    /// </param>
    public async Task PumpAsync(IAsyncEnumerable<TurnEvent> events, ITurnStream stream, Func<ChatFailure, ChatFailure>? refuse, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var reader = events.GetAsyncEnumerator(stop.Token);
        var unsaid = new List<TurnEvent>();
        if (refuse is null)
        {
            await OpenAsync(stream, unsaid);
        }

        Task<bool>? pending = null;
        var quiet = Task.Delay(options.KeepAlive, time, stop.Token);
        try
        {
            while (true)
            {
                pending ??= reader.MoveNextAsync().AsTask();
                if (!pending.IsCompleted && await Task.WhenAny(pending, quiet) == quiet)
                {
                    stop.Token.ThrowIfCancellationRequested();
                    quiet = Task.Delay(options.KeepAlive, time, stop.Token);
                    await OpenAsync(stream, unsaid);
                    await _body.WriteAsync(Comment, cancellationToken);
                    await _body.FlushAsync(cancellationToken);
                    continue;
                }

                if (!await pending)
                {
                    await OpenAsync(stream, unsaid);
                    return;
                }

                pending = null;
                if (await TakeAsync(reader.Current, stream, unsaid, refuse))
                {
                    return;
                }
            }
        }
        finally
        {
            // An enumerator may only be disposed when it rests.
            await stop.CancelAsync();
            if (pending is not null)
            {
                await pending.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }
        }
    }

    /// <returns>True if the turn failed before the response began, which it now has with the failure.</returns>
    private async Task<bool> TakeAsync(TurnEvent step, ITurnStream stream, List<TurnEvent> unsaid, Func<ChatFailure, ChatFailure>? refuse)
    {
        if (!_begun && refuse is not null && step is { Completed: true, Failure: { } failure })
        {
            await ErrorWriter.WriteAsync(context, refuse(failure));
            return true;
        }

        if (!_begun && step is { Completed: false, Text.Length: 0, Finish: null or FinishReason.Failed })
        {
            unsaid.Add(step);
            return false;
        }

        await OpenAsync(stream, unsaid);
        await stream.WriteAsync(step);
        return false;
    }

    private async Task OpenAsync(ITurnStream stream, List<TurnEvent> unsaid)
    {
        if (_begun)
        {
            return;
        }

        _begun = true;
        Start();
        await stream.OpenAsync();
        foreach (var step in unsaid)
        {
            await stream.WriteAsync(step);
        }
    }

    private void Start()
    {
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";
        // Tells nginx and its like not to collect the stream.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }
}

/// <summary>A turn in the words of one protocol.</summary>
internal interface ITurnStream
{
    /// <summary>What comes before the turn's first event.</summary>
    Task OpenAsync();

    Task WriteAsync(TurnEvent step);
}
