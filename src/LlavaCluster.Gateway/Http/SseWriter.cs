using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlavaCluster.Gateway.Http;

/// <summary>
/// Writes server-sent events (WHATWG HTML, section 9.2). Events that are there together are sent together. One writer a response, used by one task at a time.
/// </summary>
internal sealed class SseWriter(HttpContext context, GatewayOptions options, TimeProvider time)
{
    private const int MostUnsent = 16 << 10; // bytes

    private readonly PipeWriter _body = context.Response.BodyWriter;
    private readonly Utf8JsonWriter _json = new(context.Response.BodyWriter, new JsonWriterOptions { Encoder = Json.Options.Encoder, MaxDepth = Json.Options.MaxDepth });
    private long _unsent;
    private bool _begun;

    /// <param name="id">What a client sends back as Last-Event-ID to go on after this event; null for an event that is not worth resuming from.</param>
    /// <param name="name">The event's name, where the protocol has names.</param>
    public void Write(object data, long? id, string? name)
    {
        if (name is not null)
        {
            Append($"event: {name}\n");
        }

        if (id is not null)
        {
            Append(string.Create(CultureInfo.InvariantCulture, $"id: {id}\n"));
        }

        Append("data: "u8);
        JsonSerializer.Serialize(_json, data, data.GetType(), Json.Options);
        _unsent += _json.BytesCommitted;
        _json.Reset();
        Append("\n\n"u8);
    }

    public void WriteDone() => Append("data: [DONE]\n\n"u8);

    /// <summary>Passes each event to the stream and keeps the connection alive with comments while none comes.</summary>
    /// <param name="refuse">
    /// Null, and the response begins at once. Otherwise with the first event that says something, or with the first comment: what fails before is no stream
    /// but has the status of the failure, which this gives in the protocol's words.
    /// </param>
    public Task PumpAsync(IAsyncEnumerable<TurnEvent> events, ITurnStream stream, Func<ChatFailure, ChatFailure>? refuse, CancellationToken cancellationToken)
    {
        var unsaid = new List<TurnEvent>();
        if (refuse is null)
        {
            Open(stream, unsaid);
        }

        return PumpAsync(events, () => Open(stream, unsaid), step => TakeAsync(step, stream, unsaid, refuse), cancellationToken);
    }

    /// <summary>Likewise of anything; the response begins at once, and says so when the last event is out.</summary>
    public async Task PumpAsync<T>(IAsyncEnumerable<T> events, Action<T> write, CancellationToken cancellationToken)
    {
        Start();
        await _body.FlushAsync(cancellationToken);
        await PumpAsync(
            events,
            () => { },
            step =>
            {
                write(step);
                return Task.FromResult(false);
            },
            cancellationToken);
        WriteDone();
        await SendAsync(cancellationToken);
    }

    /// <param name="open">Called before anything is sent that is no event.</param>
    /// <param name="take">Writes an event; true where it has ended the response.</param>
    private async Task PumpAsync<T>(IAsyncEnumerable<T> events, Action open, Func<T, Task<bool>> take, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var reader = events.GetAsyncEnumerator(stop.Token);
        Task<bool>? pending = null;
        var quiet = Task.Delay(options.KeepAlive, time, stop.Token);
        try
        {
            while (true)
            {
                pending ??= reader.MoveNextAsync().AsTask();
                if (!pending.IsCompleted || _unsent > MostUnsent)
                {
                    await SendAsync(cancellationToken);
                }

                if (!pending.IsCompleted && await Task.WhenAny(pending, quiet) == quiet)
                {
                    stop.Token.ThrowIfCancellationRequested();
                    quiet = Task.Delay(options.KeepAlive, time, stop.Token);
                    open();
                    Append(": alive\n\n"u8);
                    continue;
                }

                if (!await pending)
                {
                    open();
                    await SendAsync(cancellationToken);
                    return;
                }

                pending = null;
                if (await take(reader.Current))
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

        Open(stream, unsaid);
        stream.Write(step);
        return false;
    }

    private void Open(ITurnStream stream, List<TurnEvent> unsaid)
    {
        if (_begun)
        {
            return;
        }

        _begun = true;
        Start();
        stream.Open();
        foreach (var step in unsaid)
        {
            stream.Write(step);
        }
    }

    private void Append(ReadOnlySpan<byte> text)
    {
        _body.Write(text);
        _unsent += text.Length;
    }

    private void Append(string text) => _unsent += Encoding.UTF8.GetBytes(text, _body);

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        if (_unsent > 0)
        {
            _unsent = 0;
            await _body.FlushAsync(cancellationToken);
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
    /// <summary>Writes what comes before the turn's first event.</summary>
    void Open();

    void Write(TurnEvent step);
}
