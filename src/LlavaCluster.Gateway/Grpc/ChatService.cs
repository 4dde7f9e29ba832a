using Grpc.Core;
using Llava.V1;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>Stateless chat over gRPC.</summary>
internal sealed class ChatService(RequestValidator validator, StatelessChat chat, TurnRunner turns, GatewayInstruments instruments) : Llava.V1.Chat.ChatBase
{
    public override async Task<CompleteResponse> Complete(GenerateRequest request, ServerCallContext context)
    {
        var (turn, valid, operation) = await BeginAsync(request, context);
        using (operation)
        {
            var completed = await chat.CompleteAsync(turn, valid.Options.Choices, context.CancellationToken);
            if (completed.IsFailure(out var failure, out var answer))
            {
                operation.Fail(failure);
                throw ErrorWriter.Rpc(failure);
            }

            operation.Complete(answer.Usage);
            var response = new CompleteResponse { TurnId = turn.TurnId.ToString(), Usage = ProtoWriting.Usage(answer.Usage), SystemFingerprint = ProtoWriting.Fingerprint(turn.Request) };
            foreach (var choice in answer.Answers)
            {
                var written = new CompleteChoice { Text = choice.Text, Finish = ProtoWriting.Finish(choice.Finish) };
                written.Logprobs.AddRange(choice.Logprobs.Select(ProtoWriting.Logprob));
                response.Choices.Add(written);
            }

            return response;
        }
    }

    public override async Task Generate(GenerateRequest request, IServerStreamWriter<TurnEvent> responseStream, ServerCallContext context)
    {
        var (turn, _, operation) = await BeginAsync(request, context);
        using (operation)
        {
            var fingerprint = ProtoWriting.Fingerprint(turn.Request);
            await foreach (var step in chat.FollowAsync(turn, mayResume: false, context.CancellationToken))
            {
                operation.Take(step);
                if (step.Failure is { } failure)
                {
                    throw ErrorWriter.Rpc(failure);
                }

                if (step.Sequence > request.ResumeFrom || step.Completed)
                {
                    var written = ProtoWriting.Event(step);
                    (written.SystemFingerprint, fingerprint) = (fingerprint, ""); // said once
                    await responseStream.WriteAsync(written, context.CancellationToken);
                }
            }
        }
    }

    public override async Task<CancelResponse> Cancel(CancelRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        if (ProtoReading.Turn(request.TurnId, "turn_id", checks) is not { } turn)
        {
            checks.Fail("turn_id", "is required and must not be empty.");
            turn = default;
        }

        Throw(checks);
        var key = TurnIds.Stateless(context.GetHttpContext().Caller().Tenant, turn);
        var asked = await turns.CancelAsync(key, turn, context.CancellationToken);
        return asked.IsFailure(out var failure, out var cancelled) ? throw ErrorWriter.Rpc(failure) : new CancelResponse { Cancelled = cancelled };
    }

    internal static void Throw(FieldChecks checks)
    {
        if (checks.Failure is { } failure)
        {
            throw ErrorWriter.Rpc(failure);
        }
    }

    /// <summary>The call's deadline, for the engine; null if it has none.</summary>
    internal static DateTimeOffset? Deadline(ServerCallContext context) => context.Deadline == DateTime.MaxValue ? null : new DateTimeOffset(context.Deadline, TimeSpan.Zero);

    private async Task<(StatelessTurn Turn, ValidChatRequest Valid, ChatOperation Operation)> BeginAsync(GenerateRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var clientTurn = ProtoReading.Turn(request.TurnId, "turn_id", checks);
        if (request.ResumeFrom < 0 || (request.ResumeFrom > 0 && clientTurn is null))
        {
            checks.Fail("resume_from", $"must be at least 0, and 0 without a turn_id; was {request.ResumeFrom}.");
        }

        var raw = ProtoReading.Chat(request.Model, request.Messages, request.Options, continues: false, checks);
        var tenant = context.GetHttpContext().Caller().Tenant;
        var validated = await validator.ValidateAsync(tenant, raw, checks, context.CancellationToken);
        if (validated.IsFailure(out var failure, out var valid))
        {
            throw ErrorWriter.Rpc(failure);
        }

        var operation = instruments.Begin(valid.Card.Name, valid.Options);
        var begun = await chat.BeginAsync(tenant, valid, clientTurn, Deadline(context), context.CancellationToken);
        if (begun.IsFailure(out failure, out var turn))
        {
            operation.Fail(failure);
            operation.Dispose();
            throw ErrorWriter.Rpc(failure);
        }

        return (turn, valid, operation);
    }
}
