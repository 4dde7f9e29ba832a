using System.Text.Json;
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

    /// <summary>The sample as a batch of one.</summary>
    public TokenBatch Batch(int imageTokenId, int features)
    {
        using var file = OpenTensors();
        using var pixels = file.View("pixel_values");
        var values = pixels.data<float>().ToArray();
        return new TokenBatch([TrainingSample.FromLabels(Integers("input_ids"), Integers("labels"), imageTokenId, features, values)], features, values.Length);
    }

    private int[] Integers(string name) => [.. _json.RootElement.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];
}
