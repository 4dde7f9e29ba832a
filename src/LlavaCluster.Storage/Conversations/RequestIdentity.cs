using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Storage.Conversations;

/// <summary>Tells whether a repeated BeginTurn is the same request. Deadline and seed are left out, which a retry redraws, and the adapter, which the conversation chooses.</summary>
public static class RequestIdentity
{
    public static bool Same(TurnRequest first, TurnRequest second) => Bytes(first).AsSpan().SequenceEqual(Bytes(second));

    private static byte[] Bytes(TurnRequest request)
    {
        var stable = request with { Deadline = null, Options = request.Options with { Seed = 0 }, Adapter = null };
        return LogRecordCodec.Encode(new TurnBegun(stable, DateTimeOffset.UnixEpoch, 1));
    }
}
