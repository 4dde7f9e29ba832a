using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>What a host logs, for a test that waits for a line of it.</summary>
internal sealed class AwaitedLines : ILoggerProvider, ILogger
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _lines = [];

    /// <summary>Completes when the line has been logged; at once where it was already.</summary>
    public Task SeenAsync(string line, CancellationToken cancellationToken) => At(line).Task.WaitAsync(cancellationToken);

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => At(formatter(state, exception)).TrySetResult();

    public void Dispose()
    {
    }

    private TaskCompletionSource At(string line) => _lines.GetOrAdd(line, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}
