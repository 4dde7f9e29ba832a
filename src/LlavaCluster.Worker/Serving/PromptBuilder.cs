using System.Collections.Immutable;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Text;
using LlavaCluster.Pictures;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Worker.Serving;

/// <summary>Messages and stored pictures to the engine's prompt. Reads pictures' headers only; their pixels are decoded when the engine wants them.</summary>
internal sealed class PromptBuilder(ServedModel model, IObjectStore objects)
{
    private static readonly HeaderLimits Limits = new();

    /// <summary>The prompt, or why there is none.</summary>
    public async Task<(ImmutableArray<PromptSegment> Prompt, ChatFailure? Failure)> BuildAsync(GenerateRequest request, CancellationToken cancellationToken)
    {
        var pictures = new List<PromptImage>();
        var messages = new List<PromptMessage>();
        foreach (var message in request.Messages)
        {
            var indices = new List<int>();
            foreach (var image in message.Parts.Where(part => part.Image is not null).Select(part => part.Image!.Value))
            {
                var (picture, failure) = await FindAsync(request.Tenant, image, cancellationToken);
                if (picture is null)
                {
                    return ([], failure);
                }

                indices.Add(pictures.Count);
                pictures.Add(picture);
            }

            var text = string.Join("\n", message.Parts.Where(part => part.Text is not null).Select(part => part.Text));
            messages.Add(new PromptMessage(Role(message.Role), text, indices));
        }

        // Off the grain's turn, which would stand still for as long as the text is long.
        return (await Task.Run(() => Segments(model.Codec.Encode(model.Renderer.Render(messages, opens: true)), pictures), cancellationToken), null);
    }

    private static PromptRole Role(ChatRole role) => role switch
    {
        ChatRole.System => PromptRole.System,
        ChatRole.Assistant => PromptRole.Assistant,
        _ => PromptRole.User,
    };

    private static ImmutableArray<PromptSegment> Segments(IReadOnlyList<PromptToken> tokens, List<PromptImage> pictures)
    {
        var segments = ImmutableArray.CreateBuilder<PromptSegment>();
        var words = new List<int>();
        foreach (var token in tokens)
        {
            if (token.Picture < 0)
            {
                words.Add(token.Id);
                continue;
            }

            Flush();
            segments.Add(new PromptSegment.Picture(pictures[token.Picture]));
        }

        Flush();
        return segments.ToImmutable();

        void Flush()
        {
            if (words.Count > 0)
            {
                segments.Add(new PromptSegment.Text([.. words]));
                words.Clear();
            }
        }
    }

    private async Task<(PromptImage? Image, ChatFailure? Failure)> FindAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken)
    {
        if (await ReadAsync(tenant, id, cancellationToken) is not { } bytes)
        {
            return (null, new ChatFailure(ChatFailureKind.NotFound, "The conversation's picture is no longer stored.", "messages"));
        }

        var measured = ImageDecoder.Measure(bytes, Limits, model.Preprocessor.Config.ApplyOrientation);
        if (measured.Refusal is { } refusal)
        {
            return (null, new ChatFailure(ChatFailureKind.InvalidRequest, Sentence(refusal), "messages"));
        }

        return (new PromptImage
        {
            Digest = ContentDigest.Parse(id.Value),
            Preprocessing = model.Preprocessing,
            Layout = AnyresGrid.Layout(model.Network.Config, measured.Height, measured.Width),
            Tokens = model.Preprocessor.TokensOf(measured.Height, measured.Width),
            LoadPixels = token => LoadPixelsAsync(tenant, id, token),
        }, null);
    }

    private async ValueTask<float[]> LoadPixelsAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken)
    {
        var bytes = await ReadAsync(tenant, id, cancellationToken) ?? throw new ImageRefusedException("The conversation's picture is no longer stored.");
        // On a thread of its own: what answers requests runs on the pool, and the engine bounds how many pictures are decoded at the same time.
        return await Task.Factory.StartNew(() => Decode(bytes), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private float[] Decode(byte[] bytes)
    {
        var decoding = ImageDecoder.Decode(bytes, Limits, model.Preprocessor.Config.ApplyOrientation);
        return decoding.Succeeded ? model.Preprocessor.Prepare(decoding.Image).Pixels : throw new ImageRefusedException(Sentence(decoding.Refusal));
    }

    private static string Sentence(string refusal) => $"messages: {refusal}";

    private async Task<byte[]?> ReadAsync(TenantId tenant, ImageId id, CancellationToken cancellationToken)
    {
        await using var stream = await objects.OpenAsync(tenant, id.Object, cancellationToken);
        if (stream is null)
        {
            return null;
        }

        using var buffer = new MemoryStream();
        await stream.CopyToAsync(buffer, cancellationToken);
        return buffer.ToArray();
    }
}
