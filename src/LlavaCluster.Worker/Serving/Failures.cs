using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Engine;

namespace LlavaCluster.Worker.Serving;

/// <summary>The engine's refusals and failures as clients and conversations know them. One table each.</summary>
internal static class Failures
{
    public static ChatFailure Of(Submission.Rejected rejected) => new(
        rejected.Reason switch
        {
            RejectionReason.Invalid => ChatFailureKind.InvalidRequest,
            RejectionReason.TooLarge => ChatFailureKind.ContextExceeded,
            RejectionReason.AdapterMissing => ChatFailureKind.ModelNotFound,
            RejectionReason.Overloaded => ChatFailureKind.Overloaded,
            _ => ChatFailureKind.ModelUnavailable,
        },
        rejected.Message,
        rejected.Field,
        rejected.RetryAfter);

    public static ChatFailure Of(RequestFailure failure) => new(
        failure.Kind switch
        {
            FailureKind.DeadlineExceeded => ChatFailureKind.DeadlineExceeded,
            FailureKind.Image => ChatFailureKind.InvalidRequest,
            FailureKind.Constraint => ChatFailureKind.InvalidRequest,
            // Unread means that the conversation could not write for a while; it reads again when it can. A store that does not answer may answer another worker, or later.
            FailureKind.DeviceFault or FailureKind.EngineStopped or FailureKind.Unread or FailureKind.ImageUnread => ChatFailureKind.ModelUnavailable,
            _ => ChatFailureKind.Internal,
        },
        failure.Message,
        failure.Kind is FailureKind.Image ? "messages" : null);
}
