using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Text;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Presets;

/// <summary>
/// Training samples from scenes: sample i of a phase depends on the recipe's seed, the phase and i alone. Alignment sees the encoder's scenes again; every other one is new. Thread-safe, no tensors.
/// </summary>
internal sealed class SceneSamples(SceneRenderer renderer, RuleTeacher teacher, TextCodec codec, ScenesRecipe recipe)
{
    private const string Nothing = "nothing"; // of a patch that no object covers

    // Those of the preprocessor_config.json that is written beside the model.
    private static readonly float[] Mean = [.. PreprocessingConfig.ClipMean.Select(value => (float)value)];
    private static readonly float[] Deviation = [.. PreprocessingConfig.ClipDeviation.Select(value => (float)value)];

    private const int Side = ScenesRecipe.ImageSize;
    private const int Grid = Side / ScenesRecipe.PatchSize;
    private const int Features = Grid * Grid;
    private const int RoundTo = 256;
    private const int PixelsPerPicture = 3 * Side * Side;

    // Indices of the phases' scenes do not overlap.
    private const long EncoderFirst = 0, LanguageFirst = 1L << 36, ProjectorFirst = 2L << 36, InstructionFirst = 3L << 36, CorpusFirst = 4L << 36, RecallFirst = 5L << 36;

    private const ulong OrderPurpose = 1000; // of draws, apart from the teacher's

    private readonly PromptRenderer _prompts = new(ConversationTemplate.Bare, codec);

    /// <summary>What patches say.</summary>
    public PatchWords Words { get; } = new([Nothing, .. renderer.Classes.Items.Select(item => item.Name)], text => codec.Tokenizer.EncodeToIds(text));

    /// <summary>What the teacher says about some scenes, for the tokeniser.</summary>
    public static IEnumerable<string> Corpus(SceneRenderer renderer, RuleTeacher teacher, ScenesRecipe recipe, int scenes) =>
        from index in Enumerable.Range(0, scenes)
        let annotation = renderer.Render(SceneKey.Create(SceneSplit.Training, recipe.Seed, CorpusFirst + index)).Annotation
        from kind in Enum.GetValues<SceneConversationKind>()
        from turn in teacher.Teach(annotation, kind, (ulong)index).Turns
        from text in new[] { $"USER: {turn.Text} ASSISTANT:", $" {turn.Answer}" }
        select text;

    public PatchBatch Patches(long first, int count, SceneSplit split = SceneSplit.Training)
    {
        var pixels = new float[count * PixelsPerPicture];
        var patches = new List<ScenePatch>(count * Features);
        for (var i = 0; i < count; i++)
        {
            var scene = renderer.Render(SceneKey.Create(split, recipe.Seed, EncoderFirst + first + i));
            Normalise(scene, pixels.AsSpan(i * PixelsPerPicture, PixelsPerPicture));
            patches.AddRange(scene.Patches(Grid));
        }

        return new PatchBatch(count, pixels, [.. patches]);
    }

    /// <summary>Crowds told in words, and where everything is: names to look up.</summary>
    public TokenBatch Recall(long first, int count) => Batch(first, count, CrowdedScenes.Patches, CrowdedScenes.Patches * Words.Count, index =>
    {
        var (annotation, patches) = CrowdedScenes.Create(renderer.Classes, SceneKey.Create(SceneSplit.Training, recipe.Seed, RecallFirst + index));
        return [Sample(teacher.Teach(annotation, SceneConversationKind.Places, (ulong)index), Words.Weigh(patches), picturesLast: false)];
    });

    /// <summary>Scenes told in words, and conversations about them.</summary>
    public TokenBatch Language(long first, int count) => Batch(first, count, Features, Features * Words.Count, index =>
    {
        var scene = Render(LanguageFirst + index);
        var told = Words.Weigh(scene.Patches(Grid));
        return Conversations(scene.Annotation, index).Select(conversation => Sample(conversation, told, picturesLast: false));
    });

    /// <summary>Stage 1: a picture and a caption.</summary>
    public TokenBatch Captions(long first, int count) => Batch(first, count, Features, PixelsPerPicture, index =>
        Pictured(Render(ProjectorFirst + index), annotation => [teacher.Teach(annotation, SceneConversationKind.Caption, (ulong)index)]));

    /// <summary>Stage 2: a picture and several conversations about it.</summary>
    public TokenBatch Instructions(long first, int count) => Batch(first, count, Features, PixelsPerPicture, index =>
        Pictured(Render(InstructionFirst + index), annotation => Conversations(annotation, index)));

    // Each a sample of its own, as in the paper's data: after another conversation most of an answer can be read in the text, and nobody learns to look.
    private SceneConversation[] Conversations(SceneAnnotation annotation, long index)
    {
        var seed = (ulong)index * 3;
        return [teacher.Teach(annotation, SceneConversationKind.Conversation, seed), teacher.Teach(annotation, seed + 1), teacher.Teach(annotation, seed + 2)];
    }

    private IEnumerable<TrainingSample> Pictured(Scene scene, Func<SceneAnnotation, SceneConversation[]> ask)
    {
        var pixels = new float[PixelsPerPicture];
        Normalise(scene, pixels);
        var order = SceneRandom.For(scene.Annotation.ImageId, (ulong)recipe.Seed, OrderPurpose);
        return ask(scene.Annotation).Select(conversation => Sample(conversation, pixels, order.Chance((float)recipe.QuestionFirst)));
    }

    private TrainingSample Sample(SceneConversation conversation, float[] picture, bool picturesLast)
    {
        var messages = conversation.Turns.SelectMany((turn, i) => new[]
        {
            i == 0 ? PromptMessage.User(turn.Text, 0) with { PicturesLast = picturesLast } : PromptMessage.User(turn.Text),
            PromptMessage.Assistant(turn.Answer),
        });
        return new TrainingSample(codec.Encode(_prompts.Render([.. messages], opens: false)), picture);
    }

    private static TokenBatch Batch(long first, int count, int featuresPerPicture, int valuesPerPicture, Func<long, IEnumerable<TrainingSample>> samples) =>
        new([.. Enumerable.Range(0, count).SelectMany(i => samples(first + i))], featuresPerPicture, valuesPerPicture, RoundTo);

    private Scene Render(long index) => renderer.Render(SceneKey.Create(SceneSplit.Training, recipe.Seed, index));

    // [S, S, 3] bytes to [3, S, S] floats
    private static void Normalise(Scene scene, Span<float> pixels)
    {
        var bytes = scene.Pixels;
        for (var channel = 0; channel < 3; channel++)
        {
            for (var i = 0; i < Side * Side; i++)
            {
                pixels[(channel * Side * Side) + i] = ((bytes[(i * 3) + channel] / 255f) - Mean[channel]) / Deviation[channel];
            }
        }
    }
}
