using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>A base that everything fits but files that end with <see cref="Misfit"/>.</summary>
internal sealed class FakeFit(IObjectStore objects) : IAdapterFit
{
    public const byte Misfit = 0xff;

    public async Task<ChatFailure?> RefusalAsync(TenantId tenant, string model, ObjectId adapter, CancellationToken cancellationToken)
    {
        await using var stored = await objects.OpenAsync(tenant, adapter, cancellationToken);
        stored!.Seek(-1, SeekOrigin.End);
        return stored.ReadByte() == Misfit ? new ChatFailure(ChatFailureKind.InvalidRequest, $"The adapter {adapter} cannot be used with this model: it: tensor 'a' must have shape [2].", "file") : null;
    }
}
