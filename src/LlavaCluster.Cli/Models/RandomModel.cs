using LlavaCluster.Model.Config;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training;
using TorchSharp;

namespace LlavaCluster.Cli.Models;

/// <summary>Writes a model of a given shape with random weights: real in every size and worthless in what it says, for trying memory, speed and deployment.</summary>
internal static class RandomModel
{
    private const string Template = "vicuna_v1"; // LLaVA-1.5's

    /// <param name="tokenizer">A SentencePiece model file; it is copied.</param>
    /// <param name="written">Called for each tensor with its name.</param>
    public static LlavaConfig Write(string folder, string shape, string tokenizer, torch.ScalarType dtype, int seed, Action<string> written)
    {
        var config = ModelShapes.Config(shape, SentencePieceTokenizer.Read(tokenizer).Count);
        var weights = new WeightInitializer(config, seed, torch.CPU);
        ModelFolderWriter.Write(
            folder, config,
            planned =>
            {
                written(planned.Name);
                using var wide = weights.Take(planned.Name, [.. planned.Shape]);
                return wide.to(dtype);
            },
            File.ReadAllBytes(tokenizer), dtype, Template, pad: true);
        return config;
    }
}
