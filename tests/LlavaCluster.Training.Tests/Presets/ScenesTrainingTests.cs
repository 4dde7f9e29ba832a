using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Presets;
using LlavaCluster.Training.Runs;
using LlavaCluster.Training.Tests.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Presets;

/// <summary>The whole recipe in a few steps: what each phase learned must reach the model that is written.</summary>
public sealed class ScenesTrainingTests : IDisposable
{
    private static readonly ScenesRecipe Recipe = new()
    {
        EncoderSteps = 2, RecallSteps = 2, LanguageSteps = 2, AlignmentSteps = 2, ProjectorSteps = 2, InstructionSteps = 2, PicturesPerStep = 2, ConversationsPerStep = 2,
    };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("llava-scenes-");
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void Run_FromNothing_WritesTheTowerOfItsPhaseAndWhatTheLastPhaseLearned()
    {
        var model = Train();

        using var written = CheckpointReader.Open(model);
        using var encoder = SafetensorsFile.Open(Work("encoder.safetensors"));
        using var instruction = SafetensorsFile.Open(Work("instruction.safetensors"));
        Assert.All(written.Names, name =>
        {
            var learned = (name.StartsWith("vision_tower.", StringComparison.Ordinal) ? encoder : instruction).View(name);
            Assert.True(written.Take(name, learned.shape).allclose(learned.to(ScalarType.BFloat16), rtol: 0, atol: 0), name);
        });
    }

    [Fact]
    public void Run_FromAModel_TeachesItFurtherAndKeepsItsTower()
    {
        var (model, taught) = (Train(), Path.Combine(_folder.FullName, "taught"));
        Assert.True(new ScenesTraining(Recipe, DrawnArtwork.Library, Work("../more"), 1, TimeProvider.System, new ScenesContinuation(model, Tower: false)).Run(taught, _ => { }, TestContext.Current.CancellationToken));

        using var before = CheckpointReader.Open(model);
        using var after = CheckpointReader.Open(taught);
        var changed = before.Names.Where(name => !Same(before, after, name)).ToList();
        Assert.NotEmpty(changed);
        Assert.DoesNotContain(changed, name => name.StartsWith("vision_tower.", StringComparison.Ordinal));
    }

    [Fact]
    public void Run_FromAModelWithItsTower_TeachesTowerProjectorAndLanguage()
    {
        var (model, taught) = (Train(), Path.Combine(_folder.FullName, "taught"));
        Assert.True(new ScenesTraining(Recipe, DrawnArtwork.Library, Work("../more"), 1, TimeProvider.System, new ScenesContinuation(model, Tower: true)).Run(taught, _ => { }, TestContext.Current.CancellationToken));

        using var before = CheckpointReader.Open(model);
        using var after = CheckpointReader.Open(taught);
        using var encoder = SafetensorsFile.Open(Work("../more/encoder.safetensors"));
        var changed = before.Names.Where(name => !Same(before, after, name)).ToList();
        Assert.All((string[])["vision_tower.", "multi_modal_projector.", "language_model."], part => Assert.Contains(changed, name => name.StartsWith(part, StringComparison.Ordinal)));
        Assert.All(encoder.Tensors.Keys.Where(name => name.StartsWith("vision_tower.", StringComparison.Ordinal)), name =>
            Assert.True(after.Take(name, encoder.View(name).shape).allclose(encoder.View(name).to(ScalarType.BFloat16), rtol: 0, atol: 0), name));
    }

    [Fact]
    public void Run_Again_ChangesNothing()
    {
        var first = File.ReadAllBytes(Path.Combine(Train(), "model.safetensors"));

        Assert.Equal(first, File.ReadAllBytes(Path.Combine(Train(), "model.safetensors")));
    }

    [Fact]
    public void Phases_StoreOnlyWhatTheyTrain()
    {
        Train();

        Assert.All(Stored("encoder.safetensors"), name => Assert.True(name.StartsWith("vision_tower.", StringComparison.Ordinal) || name.StartsWith("dense_head.", StringComparison.Ordinal)));
        Assert.Equal(Stored("recall.safetensors"), Stored("language.safetensors"));
        Assert.All(Stored("language.safetensors"), name => Assert.True(name.StartsWith("language_model.", StringComparison.Ordinal) || name == "lm_head.weight"));
        Assert.All(Stored("alignment.safetensors"), name => Assert.StartsWith("multi_modal_projector.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void Language_GoesOnFromWhatRecallLearned()
    {
        const string words = "language_model.embed_tokens.weight";
        Train();
        using var recall = SafetensorsFile.Open(Work("recall.safetensors"));
        using var language = SafetensorsFile.Open(Work("language.safetensors"));
        var learned = recall.View(words);
        var fresh = new WeightInitializer(ScenesRecipe.Config(SentencePieceTokenizer.Read(Work("tokenizer.model")).Count), Recipe.Seed, CPU).Take(words, learned.shape);

        // A row is left as it was by a phase in which its token does not come up.
        var changed = learned.ne(fresh).any(1);
        Assert.True(changed.any().item<bool>());
        Assert.False(changed.logical_and(language.View(words).eq(fresh).all(1)).any().item<bool>());
    }

    [Fact]
    public void Source_OfAWeightThatNoPhaseTrained_RefusesIt()
    {
        using var source = new CheckpointSource([], new WeightInitializer(ScenesRecipe.Config(900), 1, CPU), name => name == "lm_head.weight");

        Assert.Equal([2L, 3L], source.Take("lm_head.weight", 2, 3).shape);
        Assert.Contains("was trained by no phase before", Assert.Throws<CheckpointException>(() => source.Take("language_model.norm.weight", 2)).Message, StringComparison.Ordinal);
    }

    private string Train()
    {
        Directory.CreateDirectory(Work(""));
        File.Copy(Goldens.Path("a_llava15", "tokenizer.model"), Work("tokenizer.model"), overwrite: true); // the recipe's own takes a corpus of thousands of scenes
        var model = Path.Combine(_folder.FullName, "model");
        Assert.True(new ScenesTraining(Recipe, DrawnArtwork.Library, Work(""), replicas: 2, TimeProvider.System).Run(model, _ => { }, TestContext.Current.CancellationToken));
        return model;
    }

    private static bool Same(Checkpoint left, Checkpoint right, string name)
    {
        var shape = TensorPlan.For(left.Config).Single(planned => planned.Name == name).Shape;
        return left.Take(name, [.. shape]).allclose(right.Take(name, [.. shape]), rtol: 0, atol: 0);
    }

    private IEnumerable<string> Stored(string file)
    {
        using var checkpoint = SafetensorsFile.Open(Work(file));
        return [.. checkpoint.Tensors.Keys.Where(name => !name.StartsWith("optimiser.", StringComparison.Ordinal))];
    }

    private string Work(string file) => Path.Combine(_folder.FullName, "work", file);
}
