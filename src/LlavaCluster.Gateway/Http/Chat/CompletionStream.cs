using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Turns;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Http.Chat;

/// <summary>What a stream of chunks is about.</summary>
/// <param name="After">Events up to this sequence number were seen by the client.</param>
internal sealed record StreamHead(StatelessTurn Turn, bool IncludeUsage, long After)
{
    public string Model => Turn.Request.Model;

    public int Choices => Turn.Request.Options.Choices;
}

/// <summary>
/// A turn as chat completion chunks. Every event of the turn that says something is one chunk, whose SSE id is the event's sequence number;
/// what opens and closes the stream has no id, so that resuming after any id brings exactly what is missing.
/// </summary>
internal sealed class CompletionStream(StatelessChat chat, GatewayOptions options, TimeProvider time)
{
    public async Task WriteAsync(HttpContext context, StreamHead head, ChatOperation? operation)
    {
        var writer = new SseWriter(context, options, time);
        var (id, created) = (TurnIds.Completion(head.Turn.TurnId), CreatedAt(head.Turn.TurnId));
        ChatCompletionChunk template = head.IncludeUsage ? new MeteredChunk(id, created, head.Model, []) : new ChatCompletionChunk(id, created, head.Model, []);
        template = template with { SystemFingerprint = head.Turn.Request.Adapter?.Value };
        var events = chat.FollowAsync(head.Turn, mayResume: true, context.RequestAborted);
        var chunks = new Chunks(writer, template, head, operation);
        await writer.PumpAsync(events, chunks, chunks.Refuse, context.RequestAborted);
    }

    /// <summary>Unix seconds; the gateway's own turn ids carry their time.</summary>
    public long CreatedAt(Guid turn) => turn.Version == 7 ? (long)(Convert.ToUInt64(turn.ToString("n")[..12], 16) / 1000) : time.GetUtcNow().ToUnixTimeSeconds();

    private sealed class Chunks(SseWriter writer, ChatCompletionChunk template, StreamHead head, ChatOperation? operation) : ITurnStream
    {
        public void Open()
        {
            for (var choice = 0; head.After == 0 && choice < head.Choices; choice++)
            {
                writer.Write(template with { Choices = [new ChunkChoice(choice, new ChunkDelta { Role = "assistant", Content = "" })] }, null, null);
            }
        }

        public void Write(TurnEvent step)
        {
            operation?.Take(step);
            if (step.Sequence > head.After && (step.Text.Length > 0 || step.Finish is not null || !step.Logprobs.IsEmpty))
            {
                var delta = new ChunkDelta { Content = step.Text.Length > 0 ? step.Text : null };
                var finish = step.Finish is null or FinishReason.Failed ? null : CompletionMapping.FinishName(step.Finish);
                writer.Write(template with { Choices = [new ChunkChoice(step.Choice, delta, CompletionMapping.Logprobs(step.Logprobs), finish)] }, step.Sequence, null);
            }

            if (step.Completed)
            {
                Close(step);
            }
        }

        public ChatFailure Refuse(ChatFailure failure)
        {
            operation?.Fail(failure);
            return CompletionMapping.Named(failure);
        }

        private void Close(TurnEvent last)
        {
            if (last.Failure is { } failure)
            {
                writer.Write(ErrorWriter.BodyOf(CompletionMapping.Named(failure)), null, null);
                return;
            }

            if (template is MeteredChunk metered && last.Usage is { } usage)
            {
                writer.Write(metered with { Usage = CompletionMapping.Usage(usage) }, null, null);
            }

            writer.WriteDone();
        }
    }
}
