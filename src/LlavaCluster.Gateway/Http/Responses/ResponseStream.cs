using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Responses;

/// <summary>
/// A turn as OpenAI's response events. Numbers are a function of the turn alone: four opening events, then one number for each of the turn's events,
/// then the closing ones. A stream that goes on after a number replays the turn from the grain's buffer and leaves out what was seen.
/// </summary>
internal sealed class ResponseStream(StatelessChat chat, TurnRunner turns, GatewayOptions options, TimeProvider time)
{
    private const int OpeningEvents = 4;

    /// <param name="after">The number of the last event that was seen; -1: none was.</param>
    public async Task WriteAsync(HttpContext context, BegunResponse response, DateTimeOffset createdAt, long after)
    {
        var writer = new SseWriter(context, options, time);
        var stream = new Stream(writer, response.Key, response.Turn, createdAt, after);
        await writer.PumpAsync(FollowAsync(response, mayResume: true, context.RequestAborted), stream, null, context.RequestAborted);
    }

    /// <summary>The response's events, measured; one that is not kept ends with its last reader.</summary>
    public async IAsyncEnumerable<TurnEvent> FollowAsync(BegunResponse response, bool mayResume, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var events = response.Turn.Transient
            ? chat.FollowAsync(new StatelessTurn(response.Key, response.Turn), mayResume, cancellationToken)
            : turns.FollowAsync(response.Key, response.Turn.TurnId, 0, cancellationToken);
        await foreach (var step in events)
        {
            response.Operation?.Take(step);
            yield return step;
        }
    }

    private sealed class Stream(SseWriter writer, ConversationKey key, TurnRequest turn, DateTimeOffset createdAt, long after) : ITurnStream
    {
        private readonly StringBuilder _text = new();
        private readonly string _item = ResponseJson.MessageId(turn.TurnId);
        private FinishReason? _finish;
        private long _number = -1;
        private long _last;

        public void Open()
        {
            Send("response.created", new JsonObject { ["response"] = Snapshot(null, null, null) });
            Send("response.in_progress", new JsonObject { ["response"] = Snapshot(null, null, null) });
            Send("response.output_item.added", new JsonObject { ["output_index"] = 0, ["item"] = ResponseJson.Message(turn.TurnId, "", "in_progress") });
            Send("response.content_part.added", Part(new JsonObject { ["part"] = ResponseJson.Part("") }));
        }

        public void Write(TurnEvent step)
        {
            if (step is { Completed: true, Failure: { } interruption } && step.Sequence <= _last)
            {
                // The turn goes on later. Its next event has the next number, so this one has none to resume after.
                var error = new JsonObject { ["type"] = "error", ["code"] = FailureTable.Of(interruption.Kind).Code, ["message"] = interruption.Message, ["param"] = null, ["sequence_number"] = _number };
                writer.Write(error, null, "error");
                return;
            }

            _last = step.Sequence;
            _number = OpeningEvents + step.Sequence - 2;
            _finish = step.Finish ?? _finish;
            if (step.Text.Length > 0)
            {
                _text.Append(step.Text);
                Send("response.output_text.delta", Part(new JsonObject { ["delta"] = step.Text, ["logprobs"] = ResponseJson.Logprobs(step) }));
            }

            if (step.Completed)
            {
                _number = OpeningEvents + step.Sequence - 1;
                Close(step);
            }
        }

        private void Close(TurnEvent last)
        {
            var failure = last.Failure is { } given ? ResponseJson.Named(given) : null;
            var text = _text.ToString();
            var status = ResponseJson.Status(_finish ?? FinishReason.Stop, failure);
            Send("response.output_text.done", Part(new JsonObject { ["text"] = text, ["logprobs"] = new JsonArray() }));
            Send("response.content_part.done", Part(new JsonObject { ["part"] = ResponseJson.Part(text) }));
            Send("response.output_item.done", new JsonObject { ["output_index"] = 0, ["item"] = ResponseJson.Message(turn.TurnId, text, status) });
            var name = status is "failed" or "incomplete" ? status : "completed";
            Send($"response.{name}", new JsonObject { ["response"] = Snapshot(_finish ?? FinishReason.Stop, last.Usage, failure) });
        }

        private JsonObject Snapshot(FinishReason? finish, TokenUsage? usage, ChatFailure? failure) =>
            ResponseJson.Response(key, turn, createdAt, _text.ToString(), finish, usage, failure);

        private JsonObject Part(JsonObject data)
        {
            (data["item_id"], data["output_index"], data["content_index"]) = (_item, 0, 0);
            return data;
        }

        private void Send(string type, JsonObject data)
        {
            _number++;
            (data["type"], data["sequence_number"]) = (type, _number);
            if (_number > after)
            {
                writer.Write(data, _number, type);
            }
        }
    }
}
