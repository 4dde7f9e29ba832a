using System.Collections.Immutable;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Model.Vision;

namespace LlavaCluster.Engine.Tests.Support;

/// <summary>Makers of models, images and requests for tests without tensors.</summary>
internal static class Requests
{
    public const int Vocabulary = 40;
    public const int ImageToken = 39;
    public const int EndToken = 38;

    public static EngineModel Model { get; } = new()
    {
        VocabularySize = Vocabulary,
        MaxPositions = 4096,
        ImageTokenId = ImageToken,
        EndTokens = [EndToken],
        ReservedTokens = [ImageToken],
        Projector = ContentDigest.Of("projector"u8),
        TokenTexts = [.. Enumerable.Range(0, Vocabulary).Select(id => new TokenText(id >= EndToken ? default : new[] { (byte)('a' + (id % 26)) }, false))],
        CreateDecoder = () => new LetterDecoder(),
    };

    public static EngineTenant Tenant(string name, double weight = 1) => new(name, System.Text.Encoding.UTF8.GetBytes("the secret salt of " + name), weight);

    /// <summary>An image whose one pixel value is its identity; a negative one cannot be encoded.</summary>
    public static PromptSegment Image(int pixel, int tokens) => Image(pixel, tokens, _ => ValueTask.FromResult(new float[] { pixel }));

    public static PromptSegment Image(int pixel, int tokens, Func<CancellationToken, ValueTask<float[]>> load) => new PromptSegment.Picture(new PromptImage
    {
        Digest = ContentDigest.Of(BitConverter.GetBytes(pixel)),
        Preprocessing = ContentDigest.Of("pixels"u8),
        Layout = TileLayout.Single,
        Tokens = tokens,
        LoadPixels = load,
    });

    public static PromptSegment Text(params int[] ids) => new PromptSegment.Text(ids);

    public static EngineRequest Of(string tenant, int maxTokens, params PromptSegment[] prompt) => new()
    {
        Id = "test",
        Tenant = Tenant(tenant),
        Prompt = prompt,
        Sampling = new SamplingOptions { Temperature = 0, MaxTokens = maxTokens },
    };

    public static EngineRequest With(this EngineRequest request, Func<SamplingOptions, SamplingOptions> change) =>
        request with { Sampling = change(request.Sampling) };

    public static ImmutableArray<string> Stops(params string[] texts) => [.. texts];

    /// <summary>Token i is a letter; every eighth is held back until the next one.</summary>
    private sealed class LetterDecoder : ITextDecoder
    {
        private string _held = "";

        public string Append(int token)
        {
            var text = _held + (char)('a' + (token % 26));
            _held = token % 8 == 0 ? text : "";
            return token % 8 == 0 ? "" : text;
        }

        public string Finish()
        {
            var text = _held;
            _held = "";
            return text;
        }
    }
}
