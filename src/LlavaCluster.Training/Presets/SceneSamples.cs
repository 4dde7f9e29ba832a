using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Text;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Presets;

/// <summary>
/// Training samples from scenes: sample i of a phase depends on the recipe's seed, the phase and i alone. Every scene is new. Thread-safe, no tensors.
/// </summary>
internal sealed class SceneSamples(SceneRenderer renderer, RuleTeacher teacher, TextCodec codec, ScenesRecipe recipe)
{
    // Those of the preprocessor_config.json that is written beside the model.
    private static readonly float[] Mean = [.. PreprocessingConfig.ClipMean.Select(value => (float)value)];
    private static readonly float[] Deviation = [.. PreprocessingConfig.ClipDeviation.Select(value => (float)value)];

    private const int Side = ScenesRecipe.ImageSize;
    private const int Grid = Side / ScenesRecipe.PatchSize;
    private const int Features = Grid * Grid;
    private const int RoundTo = 256;
    private const int PixelsPerPicture = 3 * Side * Side;

    // Indices of the phases' scenes do not overlap.
    private const long EncoderFirst = 0, LanguageFirst = 1L << 36, ProjectorFirst = 2L << 36, InstructionFirst = 3L << 36, CorpusFirst = 4L << 36;

    private const ulong OrderPurpose = 1000; // of draws, apart from the teacher's

    private readonly PromptRenderer _prompts = new(ConversationTemplate.Bare, codec);

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

    /// <summary>Token ids of words inside a sentence.</summary>
    public IReadOnlyList<int> Words(string text) => codec.Tokenizer.EncodeToIds(text);

    /// <summary>Text alone: the detailed description stands for the picture, questions and answers follow.</summary>
    public TokenBatch Language(long first, int count) => Batch(first, count, index =>
    {
        var annotation = Render(LanguageFirst + index).Annotation;
        var seen = teacher.Teach(annotation, SceneConversationKind.Description, (ulong)index).Turns[0].Answer;
        var messages = Messages(Turns(annotation, index), text => PromptMessage.User($"{seen}\n{text}"));
        return new TrainingSample(codec.Encode(_prompts.Render(messages, opens: false)), []);
    });

    /// <summary>Stage 1: a picture and a caption.</summary>
    public TokenBatch Captions(long first, int count) => Batch(first, count, index =>
        Pictured(Render(ProjectorFirst + index), annotation => teacher.Teach(annotation, SceneConversationKind.Caption, (ulong)index).Turns));

    /// <summary>Stage 2: a picture and several conversations about it.</summary>
    public TokenBatch Instructions(long first, int count) => Batch(first, count, index =>
        Pictured(Render(InstructionFirst + index), annotation => Turns(annotation, index)));

    private List<SceneQuestion> Turns(SceneAnnotation annotation, long index)
    {
        var seed = (ulong)index * 3;
        return
        [
            .. teacher.Teach(annotation, SceneConversationKind.Conversation, seed).Turns,
            .. teacher.Teach(annotation, seed + 1).Turns,
            .. teacher.Teach(annotation, seed + 2).Turns,
        ];
    }

    private TrainingSample Pictured(Scene scene, Func<SceneAnnotation, IReadOnlyList<SceneQuestion>> ask)
    {
        var pixels = new float[PixelsPerPicture];
        Normalise(scene, pixels);
        var last = SceneRandom.For(scene.Annotation.ImageId, (ulong)recipe.Seed, OrderPurpose).Chance((float)recipe.QuestionFirst);
        var messages = Messages(ask(scene.Annotation), text => PromptMessage.User(text, 0) with { PicturesLast = last });
        return new TrainingSample(codec.Encode(_prompts.Render(messages, opens: false)), pixels);
    }

    private static List<PromptMessage> Messages(IReadOnlyList<SceneQuestion> turns, Func<string, PromptMessage> first) =>
        [.. turns.SelectMany((turn, i) => new[] { i == 0 ? first(turn.Text) : PromptMessage.User(turn.Text), PromptMessage.Assistant(turn.Answer) })];

    private static TokenBatch Batch(long first, int count, Func<long, TrainingSample> sample) =>
        new([.. Enumerable.Range(0, count).Select(i => sample(first + i))], Features, PixelsPerPicture, RoundTo);

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
