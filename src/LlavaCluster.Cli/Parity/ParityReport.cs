using Spectre.Console;

namespace LlavaCluster.Cli.Parity;

/// <summary>Runs the checks over a folder and prints a row for the worst subject of each.</summary>
internal static class ParityReport
{
    private static readonly IParityCheck[] Checks = [new TokenizerCheck(), new PreprocessingCheck(), new VisionCheck(), new LogitsCheck(), new GenerationCheck(), new AdapterCheck(), new SamplingCheck(), new TrainingCheck()];

    /// <summary>Runs on the calling thread. Throws <see cref="Model.Weights.CheckpointException"/> where the folder is no model.</summary>
    public static IReadOnlyList<ParityRow> Run(string path)
    {
        var folder = new ParityFolder(path);
        using var inference = TorchSharp.torch.inference_mode();
        using var model = Model.LlavaModel.Load(path, dtype: TorchSharp.torch.ScalarType.Float32);
        var context = new ParityContext(folder, model);
        return [.. Checks.SelectMany(check => check.Run(context))];
    }

    public static Table Render(IEnumerable<ParityRow> rows)
    {
        var table = new Table().AddColumns("check", "compared", "worst", "difference", "allowed", "");
        foreach (var group in rows.GroupBy(row => row.Check))
        {
            var worst = group.OrderBy(row => row.Holds).ThenByDescending(row => row.Difference).First();
            table.AddRow(
                Markup.Escape(group.Key), $"{group.Count()}", Markup.Escape(worst.Subject),
                Markup.Escape(worst.Mismatch ?? $"{worst.Difference:0.0e+0}"), $"{worst.Tolerance:0.0e+0}", worst.Holds ? "[green]holds[/]" : "[red]differs[/]");
        }

        return table;
    }
}
