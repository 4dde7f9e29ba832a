using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Grains.Conversations;

/// <summary>
/// The name of a turn's lease at its tenant. A turn id is the client's choice, and may come again in another conversation or after a deletion;
/// with the conversation and the moment of its beginning it names this turn alone, and is the same for every activation.
/// </summary>
internal static class LeaseIds
{
    public static Guid Of(ConversationKey conversation, Guid turn, DateTimeOffset begunAt)
    {
        Span<byte> named = stackalloc byte[24];
        turn.TryWriteBytes(named);
        BinaryPrimitives.WriteInt64LittleEndian(named[16..], begunAt.UtcTicks);
        return new Guid(SHA256.HashData([.. named, .. Encoding.UTF8.GetBytes(conversation.ToString())]).AsSpan(0, 16));
    }
}
