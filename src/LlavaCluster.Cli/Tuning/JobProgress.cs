using System.Globalization;
using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Tuning;

/// <summary>What a job's metrics say of how far it is. Plain values; no clock.</summary>
internal sealed class JobProgress
{
    private readonly List<(double Step, double Value)> _losses = [];
    private (double Step, long At)? _first;

    /// <summary>Steps with their losses, in their order.</summary>
    public IReadOnlyList<(double Step, double Value)> Losses => _losses;

    /// <summary>0 to 1.</summary>
    public double Share { get; private set; }

    /// <summary>Loss, rate and pace in a line.</summary>
    public string Line { get; private set; } = "waits";

    /// <summary>Takes an event of the job; one without metrics changes nothing.</summary>
    public bool Take(JsonObject line)
    {
        if ((string?)line["type"] != "metrics" || line["data"] is not JsonObject data)
        {
            return false;
        }

        var (step, total, at) = (Number(data, "step") ?? 0, Number(data, "total_steps") ?? 0, (long)line["created_at"]!);
        if (Number(data, "train_loss") is { } loss && (_losses.Count == 0 || step > _losses[^1].Step))
        {
            _losses.Add((step, loss));
        }

        Share = total > 0 ? Math.Clamp(step / total, 0, 1) : 0;
        _first ??= (step, at);
        Line = string.Create(
            CultureInfo.InvariantCulture,
            $"step {step:0}/{total:0}, loss {Show(data, "train_loss", "0.0000")}, rate {Show(data, "learning_rate", "0.00e+0")}, {Show(data, "tokens_per_second", "0")} tokens/s{Left(step, total, at)}");
        return true;
    }

    private string Left(double step, double total, long at)
    {
        var (first, began) = _first!.Value;
        return step > first && at > began ? $", {TimeSpan.FromSeconds(Math.Round((at - began) / (step - first) * (total - step))):c} left" : "";
    }

    private static double? Number(JsonObject data, string name) => (double?)data[name];

    private static string Show(JsonObject data, string name, string format) => Number(data, name) is { } value ? value.ToString(format, CultureInfo.InvariantCulture) : "?";
}
