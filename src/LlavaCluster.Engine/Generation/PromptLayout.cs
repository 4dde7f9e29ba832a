using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Generation;

/// <summary>A prompt as one run of tokens, with the places and cache keys of its images.</summary>
/// <param name="Tokens">Every position; image positions hold the image token.</param>
/// <param name="Images">In order of position.</param>
/// <param name="DistinctImages">Every different feature key once.</param>
internal sealed record PromptLayout(int[] Tokens, ImageSpan[] Images, IReadOnlyList<(CacheKey Key, PromptImage Image)> DistinctImages, CacheScope Scope)
{
    /// <param name="changesFeatures">Whether the request's adapter changes how images are encoded.</param>
    public static PromptLayout Create(EngineRequest request, EngineModel model, EngineOptions options, bool changesFeatures)
    {
        var hasher = new KeyHasher();
        var tokens = new List<int>();
        var spans = new List<ImageSpan>();
        var distinct = new Dictionary<CacheKey, PromptImage>();
        foreach (var segment in request.Prompt)
        {
            switch (segment)
            {
                case PromptSegment.Text text:
                    tokens.AddRange(text.Ids);
                    break;
                case PromptSegment.Picture { Image: var image }:
                    var key = KeyOf(image, request, changesFeatures ? request.Adapter : null, model, options, hasher);
                    distinct.TryAdd(key, image);
                    spans.Add(new ImageSpan(key, tokens.Count, image.Tokens));
                    tokens.AddRange(Enumerable.Repeat(model.ImageTokenId, image.Tokens));
                    break;
            }
        }

        var adapter = request.Adapter?.ToBytes() ?? [];
        var scope = new CacheScope(request.Tenant.Id, request.Tenant.Salt, adapter, options.AllowPublicScope ? request.PublicTokens : 0);
        return new PromptLayout([.. tokens], [.. spans], [.. distinct.Select(d => (d.Key, d.Value))], scope);
    }

    /// <summary>Names the features. An adapter is part of it where it changes tower or projector; with the others images have the base's. The token count guards against a lying layout.</summary>
    private static CacheKey KeyOf(PromptImage image, EngineRequest request, ContentDigest? adapter, EngineModel model, EngineOptions options, KeyHasher hasher)
    {
        var isPublic = image.Public && options.AllowPublicScope;
        var layout = image.Layout;
        return hasher.Begin("image/1"u8)
            .Add(isPublic ? 1 : 0)
            .Add(isPublic ? default : request.Tenant.Salt.Span)
            .Add(adapter is { } digest ? digest.ToBytes() : default(ReadOnlySpan<byte>))
            .Add(image.Digest.ToBytes())
            .Add(image.Preprocessing.ToBytes())
            .Add(model.Projector.ToBytes())
            .Add([image.Tokens, layout.GridRows, layout.GridColumns, layout.Top, layout.Bottom, layout.Left, layout.Right])
            .End();
    }
}
