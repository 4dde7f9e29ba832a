using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Writes scenes as a data set that other tools read: images/NAME.png, annotations.json (COCO: images, annotations,
/// categories, captions), conversations.json (LLaVA instruction data) and captions.json (LLaVA stage 1 data).
/// </summary>
public sealed class SceneDataset(SceneRenderer renderer, RuleTeacher teacher)
{
    public const string ImageFolder = "images";
    public const string AnnotationFile = "annotations.json";
    public const string ConversationFile = "conversations.json";
    public const string CaptionFile = "captions.json";

    // The files are data, never part of a web page: "<image>" stays readable.
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Draws and writes on all cores; memory grows with the annotations (about 2 KB a scene), not with the pictures.
    /// The JSON files appear last and whole, so a folder that has them is complete.
    /// </summary>
    /// <param name="options">What and where.</param>
    /// <param name="progress">Told the number of pictures written, from any thread; null for none.</param>
    /// <param name="cancellationToken">Stops between pictures and leaves the pictures written so far.</param>
    /// <exception cref="ArgumentException">An option is out of its bounds, or the folder holds files.</exception>
    public async Task ExportAsync(SceneExportOptions options, IProgress<int>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Directory.CreateDirectory(Path.Combine(options.Directory, ImageFolder));
        var annotations = new SceneAnnotation[options.Count];
        var written = 0;
        await Parallel.ForAsync(0, options.Count, cancellationToken, async (index, token) =>
        {
            var scene = renderer.Render(SceneKey.Create(options.Split, options.Seed, index));
            annotations[index] = scene.Annotation;
            await File.WriteAllBytesAsync(Path.Combine(options.Directory, ImagePath(scene.Annotation)), SceneImages.EncodePng(scene), token).ConfigureAwait(false);
            progress?.Report(Interlocked.Increment(ref written));
        }).ConfigureAwait(false);

        await WriteJsonAsync(options, AnnotationFile, new CocoScenes(renderer.Classes, annotations).Write, cancellationToken).ConfigureAwait(false);
        await WriteJsonAsync(options, ConversationFile, LlavaScenes.WriterOf(annotations, Teach, options.Voice), cancellationToken).ConfigureAwait(false);
        await WriteJsonAsync(options, CaptionFile, LlavaScenes.WriterOf(annotations, Caption, options.Voice), cancellationToken).ConfigureAwait(false);

        SceneConversation Teach(SceneAnnotation annotation) => teacher.Teach(annotation, (ulong)options.Seed);
        SceneConversation Caption(SceneAnnotation annotation) => teacher.Teach(annotation, SceneConversationKind.Caption, (ulong)options.Seed);
    }

    /// <summary>Where an annotation's picture lies, relative to the data set's folder.</summary>
    public static string ImagePath(SceneAnnotation annotation) => $"{ImageFolder}/{annotation.ImageId}.png";

    private static async Task WriteJsonAsync(
        SceneExportOptions options, string name, Action<Utf8JsonWriter> write, CancellationToken cancellationToken)
    {
        var target = Path.Combine(options.Directory, name);
        var temporary = target + ".tmp";
        await using (var stream = File.Create(temporary))
        {
            await using var writer = new Utf8JsonWriter(stream, JsonOptions);
            write(writer);
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        File.Move(temporary, target, overwrite: true);
    }
}
