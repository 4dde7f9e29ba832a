using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Pictures;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Images;

/// <summary>Takes a picture in any form a client may send it and stores it, once its header keeps every bound. Decodes no pixels.</summary>
internal sealed class ImageIntake(ImageLimits limits, IObjectStore store, TenantStorage storage, ImageFetcher fetcher)
{
    internal sealed record Taken(ImageId Id, ImageHeader Header);

    public async Task<Outcome<Taken>> TakeAsync(TenantId tenant, RawPart part, CancellationToken cancellationToken)
    {
        if (part.ImageId is { } given)
        {
            return await FindAsync(tenant, given, part.Field, cancellationToken);
        }

        if (part.Image is { } bytes)
        {
            return await StoreAsync(tenant, bytes, part.Field, cancellationToken);
        }

        var url = part.ImageUrl ?? throw new InvalidOperationException("A part without a picture came to the image intake.");
        if (!DataUrl.Is(url))
        {
            var fetched = await fetcher.FetchAsync(url, part.Field, cancellationToken);
            return fetched.IsFailure(out var failure, out var content) ? failure : await StoreAsync(tenant, content, part.Field, cancellationToken);
        }

        return DataUrl.Decode(url) is { } decoded
            ? await StoreAsync(tenant, decoded, part.Field, cancellationToken)
            : Refuse(part.Field, "must be a well-formed base64 data URL (data:image/png;base64,...).");
    }

    public async Task<Outcome<Taken>> StoreAsync(TenantId tenant, ReadOnlyMemory<byte> content, string field, CancellationToken cancellationToken)
    {
        if (!ImageHeader.TryRead(content.Span, limits.File, out var header, out var problem))
        {
            return Refuse(field, problem);
        }

        if (await storage.RefusalAsync(tenant, content.Length, field, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        var id = ImageId.Of(content.Span);
        return await store.PutAsync(tenant, id.Object, content, cancellationToken) switch
        {
            null => new Taken(id, header),
            { } fault => TenantStorage.Refused(fault, "the picture", field),
        };
    }

    private async Task<Outcome<Taken>> FindAsync(TenantId tenant, string given, string field, CancellationToken cancellationToken)
    {
        const string FilePrefix = "file-";
        var text = given.StartsWith(FilePrefix, StringComparison.Ordinal) ? given[FilePrefix.Length..] : given;
        if (!ImageId.TryParse(text, out var id))
        {
            return Refuse(field, "must be 64 lower-case hexadecimal digits.");
        }

        await using var stored = await store.OpenAsync(tenant, id.Value.Object, cancellationToken);
        if (stored is null)
        {
            return new ChatFailure(ChatFailureKind.NotFound, $"{field} names a picture that was not uploaded.", field);
        }

        // Its size counts in the request's bound, and the bounds may be tighter than when it was uploaded.
        var content = new byte[stored.Length];
        await stored.ReadExactlyAsync(content, cancellationToken);
        return ImageHeader.TryRead(content, limits.File, out var header, out var problem) ? new Taken(id.Value, header) : Refuse(field, problem);
    }

    private static ChatFailure Refuse(string field, string rule) => new(ChatFailureKind.InvalidRequest, $"{field} {rule}", field);
}
