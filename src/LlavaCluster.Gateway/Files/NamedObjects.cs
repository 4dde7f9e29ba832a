using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Files;

/// <summary>
/// Looks whether an object that was given a name is still there. An upload of the same content that failed meanwhile may be about to drop it; it looks for names when it has taken the object out, and puts it back.
/// </summary>
internal sealed class NamedObjects(IObjectStore store, TimeProvider time)
{
    private const int Looks = 20;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Null where it is there, or is again within a second.</summary>
    /// <param name="thing">What was stored, with its article.</param>
    public async Task<ChatFailure?> RefusalAsync(TenantId tenant, ObjectId id, string thing, string field)
    {
        for (var look = 0; look < Looks; look++)
        {
            await using var content = await store.OpenAsync(tenant, id, CancellationToken.None);
            if (content is not null)
            {
                return null;
            }

            await Task.Delay(Pause, time);
        }

        return TenantStorage.Refused(StorageFault.Unavailable, thing, field);
    }
}
