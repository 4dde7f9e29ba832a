using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Hosting.Operations;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Hosting.Answers;

/// <summary>The lines of one worker, as <see cref="IModelWorkerGrain"/> has them: its grain is an adapter over this. Members may be called from any thread.</summary>
/// <param name="running">Counts each answer until what it said last is on its way.</param>
public sealed class AnswerLines(IEngineHost engine, RunningWork running, ILogger logger)
{
    private readonly ConcurrentDictionary<Guid, AnswerLine> _lines = new();

    /// <exception cref="InvalidOperationException">The line is open.</exception>
    public async IAsyncEnumerable<AnswerBatch> ListenAsync(Guid line, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var opened = new AnswerLine(engine, running, logger);
        if (!_lines.TryAdd(line, opened))
        {
            throw new InvalidOperationException($"Line {line} is open.");
        }

        try
        {
            yield return new AnswerBatch([]);
            await foreach (var batch in opened.ReadAsync(cancellationToken))
            {
                yield return batch;
            }
        }
        finally
        {
            _lines.TryRemove(line, out _);
            opened.Close();
        }
    }

    public bool Ask(Guid line, long answer, GenerateRequest request) => _lines.TryGetValue(line, out var open) && open.TryBegin(answer, request);

    public void Leave(Guid line, long answer)
    {
        if (_lines.TryGetValue(line, out var open))
        {
            open.Leave(answer);
        }
    }
}
