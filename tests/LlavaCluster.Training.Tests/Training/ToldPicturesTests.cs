using LlavaCluster.Model.Text;
using LlavaCluster.Training.Data;
using LlavaCluster.Training.Objectives;
using LlavaCluster.Training.Replicas;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Tests.Training;

public sealed class ToldPicturesTests
{
    private const int Dog = 1, Left = 3, Object = 10, Picture = 11; // words of TinyModel, and their tokens below

    [Fact]
    public void Loss_OfAPictureToldInWords_IsThatOfTheWords()
    {
        using var scope = NewDisposeScope();
        using var told = Group(TinyModel.Words);
        using var plain = Group(null);

        var loss = told.Backward([Told([Dog, Left, Object, Picture])]);

        Assert.Equal(plain.Backward([Text([9, 20, 27, 28])]), loss, 1e-5);
    }

    [Fact]
    public void Backward_OfAPictureToldInWords_TeachesTheWordsAndLeavesTowerAndProjectorAlone()
    {
        using var scope = NewDisposeScope();
        using var told = Group(TinyModel.Words);

        told.Backward([Told([Dog, Left, Object, Picture])]);

        var words = told.Trained.Single(parameter => parameter.Name == "language_model.embed_tokens.weight").Value.grad!;
        Assert.NotEqual(0, words[27].abs().sum().item<float>()); // a word that stands in the picture alone
        Assert.All(
            told.Trained.Where(parameter => parameter.Name.StartsWith("vision_tower.", StringComparison.Ordinal) || parameter.Name.StartsWith("multi_modal_projector.", StringComparison.Ordinal)),
            parameter => Assert.True(parameter.Value.grad is not { } gradient || gradient.abs().sum().item<float>() == 0, parameter.Name));
    }

    private static TokenBatch Told(int[] words)
    {
        var weights = new float[words.Length * TinyModel.Words.Count];
        foreach (var (feature, word) in words.Index())
        {
            weights[(feature * TinyModel.Words.Count) + word] = 1;
        }

        return new TokenBatch([new TrainingSample([new(1, -1, false), new(TinyModel.Config.ImageTokenId, 0, false), new(6, -1, true), new(7, -1, true)], weights)], words.Length, weights.Length);
    }

    private static TokenBatch Text(int[] ids) =>
        new([new TrainingSample([new(1, -1, false), .. ids.Select(id => new PromptToken(id, -1, false)), new(6, -1, true), new(7, -1, true)], [])], featuresPerPicture: 1, valuesPerPicture: 1);

    private static ReplicaGroup<TokenBatch> Group(PatchWords? told) =>
        new(source => new NextTokenObjective(TinyModel.Config, source, autocast: false, told), new WeightInitializer(TinyModel.Config, 5, CPU), 1, _ => true);
}
