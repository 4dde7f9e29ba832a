using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Requests;

/// <summary>
/// Names a stateless chat by how it begins: tenant, model, and the messages up to and including the first of the user. The calls that resend their
/// growing history so reach the worker that holds their prefix. Fields are length-prefixed, so that no two beginnings run together.
/// </summary>
internal static class AffinityKey
{
    public static string Of(TenantId tenant, string model, ReadOnlySpan<ChatMessage> messages)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, tenant.Value);
        Append(hash, model);
        foreach (var message in messages)
        {
            Append(hash, message.Role.ToString());
            foreach (var part in message.Parts)
            {
                Append(hash, part.Image is not null ? "image" : "text");
                Append(hash, part.Image is { } id ? id.Value : part.Text ?? "");
            }

            if (message.Role == ChatRole.User)
            {
                break;
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string field)
    {
        var bytes = Encoding.UTF8.GetBytes(field);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
