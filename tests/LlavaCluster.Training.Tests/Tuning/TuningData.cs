using System.Text.Json;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Tuning;

/// <summary>Small data sets about the fixture's pictures, for the fixture's model.</summary>
internal sealed class TuningData : IDisposable
{
    private static readonly string[] Pictures = ["gray.png", "exact.png", "square.png", "tall.png"];
    private static readonly string[] Answers = ["It is grey.", "A pattern.", "Some small shapes, I think.", "Two lines and a box."];

    public static string Model { get; } = Goldens.Path("a_llava15");

    public string Folder { get; } = Directory.CreateTempSubdirectory("llava-tuning-").FullName;

    /// <summary>The sample of the training fixture.</summary>
    public static object Golden { get; } = Record("golden", "gray.png", ("Describe the picture.", "It is a small test pattern with some shapes."));

    /// <summary>Every third without a picture.</summary>
    public static object[] Records(int count) =>
        [.. Enumerable.Range(0, count).Select(i => Record($"r{i}", i % 3 == 2 ? null : Pictures[i % 4], ($"What is number {i}?", Answers[i % 4]), ("Why?", $"Because of {i}.")))];

    public static object Record(string id, string? image, params (string Question, string Answer)[] turns) => new
    {
        id,
        image,
        conversations = turns.SelectMany((turn, i) => new object[]
        {
            new { from = "human", value = i == 0 && image is not null ? $"<image>\n{turn.Question}" : turn.Question },
            new { from = "gpt", value = turn.Answer },
        }),
    };

    public string Write(IEnumerable<object> records)
    {
        var file = Path.Combine(Folder, $"{Guid.NewGuid():n}.json");
        File.WriteAllText(file, JsonSerializer.Serialize(records));
        return file;
    }

    public ConversationDataset Open(TuningRecipe recipe, IEnumerable<object> records)
    {
        var (dataset, report) = ConversationDataset.Open(Write(records), PictureStore.Open(Goldens.Path("images")), TuningRun.EncoderFor(Model, recipe));
        return dataset ?? throw new InvalidOperationException(string.Join("\n", report.Details));
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
