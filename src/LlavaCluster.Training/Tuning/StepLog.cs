namespace LlavaCluster.Training.Tuning;

/// <summary>A run's steps as lines of a CSV file, one a step. A run that goes on from an earlier step takes back the lines after it.</summary>
internal sealed class StepLog : IDisposable
{
    private readonly StreamWriter _writer;
    private readonly List<StepRecord> _steps;

    /// <param name="step">The step the run goes on from; 0 for a new one.</param>
    public StepLog(string file, long step)
    {
        _steps = File.Exists(file) ? [.. File.ReadLines(file).Skip(1).Select(StepRecord.OfLine).OfType<StepRecord>().Where(record => record.Step <= step)] : [];
        File.WriteAllLines(file, [StepRecord.Header, .. _steps.Select(record => record.ToLine())]);
        _writer = new StreamWriter(file, append: true) { AutoFlush = true };
    }

    public IReadOnlyList<StepRecord> Steps => _steps;

    public void Add(StepRecord step)
    {
        _steps.Add(step);
        _writer.WriteLine(step.ToLine());
    }

    public void Dispose() => _writer.Dispose();
}
