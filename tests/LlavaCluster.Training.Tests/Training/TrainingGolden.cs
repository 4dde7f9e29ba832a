using System.Text.Json;
using LlavaCluster.Model.Text;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Data;
using TorchSharp;

namespace LlavaCluster.Training.Tests.Training;

/// <summary>The training fixture: one sample, and what PyTorch made of it in three steps. Written by the fixture's train.py (tests/goldens/README.md).</summary>
internal sealed class TrainingGolden
{
    private const string Model = "a_llava15";
    private readonly JsonDocument _json = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(Model, "expected", "train.json")));

    public static string Folder => Goldens.Path(Model);

    public static SafetensorsFile OpenTensors() => SafetensorsFile.Open(Goldens.Path(Model, "expected", "train.safetensors"));

    public double[] Losses(string setting) => [.. _json.RootElement.GetProperty(setting).GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble())];

    public Dictionary<string, double> GradientNorms(string setting) =>
        _json.RootElement.GetProperty(setting).GetProperty("grad_norms").EnumerateObject().ToDictionary(norm => norm.Name, norm => norm.Value.GetDouble());

    /// <summary>The sample, its run of image ids folded into the one token that stands for the picture.</summary>
    public TokenBatch Batch(int imageTokenId, int features)
    {
        var ids = Integers("input_ids");
        var labels = Integers("labels");
        var tokens = new List<PromptToken>();
        for (var i = 0; i < ids.Length; i++)
        {
            var isPicture = ids[i] == imageTokenId;
            if (!isPicture || ids[i - 1] != imageTokenId)
            {
                tokens.Add(new PromptToken(ids[i], isPicture ? 0 : -1, labels[i] >= 0));
            }
        }

        using var file = OpenTensors();
        using var pixels = file.View("pixel_values");
        var values = pixels.data<float>().ToArray();
        return new TokenBatch([new TrainingSample(tokens, values)], features, values.Length);
    }

    private int[] Integers(string name) => [.. _json.RootElement.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];
}
