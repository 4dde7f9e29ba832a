using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Http.Forms;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Files;

/// <summary>Streams what is long into the object store, under the server's bound and the tenant's quota. Holds no more of it than a buffer.</summary>
internal sealed class TrainingFileIntake(IObjectStore store, TenantStorage storage)
{
    private const string Field = "file";

    /// <summary>Stores a training file whose beginning is one.</summary>
    /// <exception cref="IOException">The client sends no more.</exception>
    public async Task<Outcome<StoredObject>> TakeAsync(TenantId tenant, UploadedFile file, long mostBytes, CancellationToken cancellationToken)
    {
        var head = await file.PeekAsync(TrainingFileHead.Length, cancellationToken);
        return TrainingFileHead.Problem(head, head.Length < TrainingFileHead.Length) is { } problem
            ? new ChatFailure(ChatFailureKind.InvalidRequest, $"{Field} {problem}", Field)
            : await StoreAsync(tenant, file, mostBytes, cancellationToken);
    }

    /// <summary>Stores a file whatever it is.</summary>
    /// <exception cref="IOException">The client sends no more.</exception>
    public async Task<Outcome<StoredObject>> StoreAsync(TenantId tenant, UploadedFile file, long mostBytes, CancellationToken cancellationToken)
    {
        var asked = await storage.RoomAsync(tenant, cancellationToken);
        if (asked.IsFailure(out var failure, out var room))
        {
            return failure;
        }

        var stored = await store.PutAsync(tenant, file.Content.AsStream(leaveOpen: true), Math.Min(mostBytes, room.Left), cancellationToken);
        return stored switch
        {
            { TooLong: true } when room.Left < mostBytes => room.Refusal(stored.Bytes, Field),
            { TooLong: true } => new ChatFailure(ChatFailureKind.InvalidRequest, $"{Field} must be at most {mostBytes} bytes; was {stored.Bytes} or more.", Field),
            { Fault: { } fault } => TenantStorage.Refused(fault, "the file", Field),
            _ => stored,
        };
    }
}
