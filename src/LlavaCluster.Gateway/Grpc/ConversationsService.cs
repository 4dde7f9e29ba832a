using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Llava.V1;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Auth;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Images;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Gateway.Telemetry;
using LlavaCluster.Gateway.Turns;

namespace LlavaCluster.Gateway.Grpc;

/// <summary>Conversations over gRPC, one call of the grain's each.</summary>
internal sealed class ConversationsService(RequestValidator validator, TurnRunner turns, ImageIntake images, GatewayInstruments instruments) : Conversations.ConversationsBase
{
    public override async Task<CreateConversationResponse> Create(CreateConversationRequest request, ServerCallContext context)
    {
        var key = ConversationKey.New(Tenant(context));
        return await turns.CreateAsync(key, context.CancellationToken) is { } failure ? throw ErrorWriter.Rpc(failure) : new CreateConversationResponse { ConversationId = key.Id };
    }

    public override async Task<BeginTurnResponse> BeginTurn(BeginTurnRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var key = Key(request.ConversationId, context, checks);
        var turn = ProtoReading.Turn(request.TurnId, "turn_id", checks) ?? TurnIds.New();
        var parent = ProtoReading.Turn(request.ParentTurnId, "parent_turn_id", checks);
        var raw = ProtoReading.Chat(request.Model, request.Messages, request.Options, continues: parent is not null, checks);
        var validated = await validator.ValidateAsync(key.Tenant, raw, checks, context.CancellationToken);
        if (validated.IsFailure(out var failure, out var valid))
        {
            throw ErrorWriter.Rpc(failure);
        }

        var unknown = new ChatFailure(ChatFailureKind.NotFound, "There is no such conversation: Create makes one.", "conversation_id");
        if (parent is null && (await turns.HistoryAsync(key, unknown, context.CancellationToken)).IsFailure(out failure, out _))
        {
            throw ErrorWriter.Rpc(failure);
        }

        // The call's deadline bounds the beginning; the answer has none, since nobody need wait for it.
        var begun = await turns.BeginAsync(key, TurnRequests.Kept(valid, turn, parent, key), context.CancellationToken);
        return begun.IsFailure(out failure, out var taken) ? throw ErrorWriter.Rpc(failure) : new BeginTurnResponse { TurnId = turn.ToString(), SystemFingerprint = ProtoWriting.Fingerprint(taken) };
    }

    public override async Task Follow(FollowRequest request, IServerStreamWriter<Llava.V1.TurnEvent> responseStream, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var key = Key(request.ConversationId, context, checks);
        var turn = RequiredTurn(request.TurnId, checks);
        if (request.ResumeFrom < 0)
        {
            checks.Fail("resume_from", $"must be at least 0; was {request.ResumeFrom}.");
        }

        ChatService.Throw(checks);
        using var operation = request.ResumeFrom == 0 ? await MeasureAsync(key, turn, context.CancellationToken) : null;
        await foreach (var step in turns.FollowAsync(key, turn, 0, context.CancellationToken))
        {
            operation?.Take(step);
            if (step.Failure is { } failure)
            {
                throw ErrorWriter.Rpc(failure);
            }

            if (step.Sequence > request.ResumeFrom || step.Completed)
            {
                await responseStream.WriteAsync(ProtoWriting.Event(step), context.CancellationToken);
            }
        }
    }

    public override async Task<CancelTurnResponse> CancelTurn(CancelTurnRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var key = Key(request.ConversationId, context, checks);
        var turn = RequiredTurn(request.TurnId, checks);
        ChatService.Throw(checks);
        var asked = await turns.CancelAsync(key, turn, context.CancellationToken);
        return asked.IsFailure(out var failure, out var cancelled) ? throw ErrorWriter.Rpc(failure) : new CancelTurnResponse { Cancelled = cancelled };
    }

    public override async Task<HistoryResponse> History(HistoryRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var key = Key(request.ConversationId, context, checks);
        ChatService.Throw(checks);
        var unknown = new ChatFailure(ChatFailureKind.NotFound, "There is no such conversation.", "conversation_id");
        var asked = await turns.HistoryAsync(key, unknown, context.CancellationToken);
        if (asked.IsFailure(out var failure, out var history))
        {
            throw ErrorWriter.Rpc(failure);
        }

        var response = new HistoryResponse { CreatedAt = Timestamp.FromDateTimeOffset(history.CreatedAt) };
        response.Turns.AddRange(history.Turns.Select(ProtoWriting.Turn));
        return response;
    }

    public override async Task<DeleteConversationResponse> Delete(DeleteConversationRequest request, ServerCallContext context)
    {
        var checks = new FieldChecks();
        var key = Key(request.ConversationId, context, checks);
        ChatService.Throw(checks);
        var asked = await turns.DeleteAsync(key, context.CancellationToken);
        return asked.IsFailure(out var failure, out var deleted) ? throw ErrorWriter.Rpc(failure) : new DeleteConversationResponse { Deleted = deleted };
    }

    public override async Task<UploadImageResponse> UploadImage(UploadImageRequest request, ServerCallContext context)
    {
        var stored = await images.StoreAsync(Tenant(context), request.Content.Memory, "content", context.CancellationToken);
        return stored.IsFailure(out var failure, out var taken)
            ? throw ErrorWriter.Rpc(failure)
            : new UploadImageResponse { ImageId = taken.Id.Value, Width = taken.Header.Width, Height = taken.Header.Height, MediaType = taken.Header.MediaType };
    }

    /// <summary>An answer is measured from its first reader on; null for one that is already whole.</summary>
    private async Task<ChatOperation?> MeasureAsync(ConversationKey key, Guid turn, CancellationToken cancellationToken)
    {
        var unknown = new ChatFailure(ChatFailureKind.NotFound, $"There is no turn {turn} in conversation {key.Id}.", "turn_id");
        var found = await turns.FindAsync(key, turn, unknown, cancellationToken);
        return found.IsFailure(out var failure, out var view) ? throw ErrorWriter.Rpc(failure)
            : view.Completed ? null
            : instruments.Begin(view.Request.Model, view.Request.Options);
    }

    private static TenantId Tenant(ServerCallContext context) => context.GetHttpContext().Caller().Tenant;

    private static ConversationKey Key(string id, ServerCallContext context, FieldChecks checks)
    {
        if (ConversationKey.TryCreate(Tenant(context), id, out var key))
        {
            return key.Value;
        }

        checks.Fail("conversation_id", "must be 1 to 80 of a-z, A-Z, 0-9, '-', '_'.");
        return ConversationKey.New(Tenant(context));
    }

    private static Guid RequiredTurn(string text, FieldChecks checks)
    {
        if (ProtoReading.Turn(text, "turn_id", checks) is { } turn)
        {
            return turn;
        }

        checks.Fail("turn_id", "is required and must not be empty.");
        return Guid.Empty;
    }
}
