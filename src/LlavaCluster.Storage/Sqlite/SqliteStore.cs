using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace LlavaCluster.Storage.Sqlite;

/// <summary>
/// One SQLite file with group commit: a dedicated thread takes every write that waits, runs them in one transaction and commits once,
/// so the cost of a durable commit is shared by all who came while the last one ran. Other processes may write the same file.
/// </summary>
public sealed class SqliteStore : IAsyncDisposable
{
    private const int QueueLength = 4096;
    private const int MostWritesACommit = 512;

    private readonly string _path;
    // Who writes wakes the writer's thread himself: a thread of the pool between them would only cost time.
    private readonly Channel<Write> _writes = Channel.CreateBounded<Write>(new BoundedChannelOptions(QueueLength) { SingleReader = true, AllowSynchronousContinuations = true });
    private readonly ManualResetEventSlim _arrived = new(false, spinCount: 0); // a thread that spins here takes a core from those that compute
    private readonly SqliteSession _session;
    private readonly Thread _writer;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="maxPages">Bounds the file in 4096-byte pages, as a full disk would; null for the disk itself.</param>
    /// <param name="busyTimeout">How long a write waits for another process's; null: ten seconds.</param>
    public SqliteStore(string path, long? maxPages = null, TimeSpan? busyTimeout = null)
    {
        _path = path;
        SqliteFile.Prepare(path, Schema.Version, Schema.Text, Schema.Upgrades);
        _session = new SqliteSession(path, busyTimeout);
        if (maxPages is { } pages)
        {
            _session.Run($"PRAGMA max_page_count={pages}");
        }

        _writer = new Thread(WriteLoop) { IsBackground = true, Name = "sqlite writer" };
        _writer.Start();
    }

    /// <summary>Refuses further writes, commits those that wait and closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _stopped.Task;
    }

    /// <summary>
    /// Runs <paramref name="work"/> in a transaction; the task completes when it is durable. The work may run more than once and must touch nothing but its session.
    /// Waits while the queue is full; once queued it cannot be cancelled.
    /// </summary>
    internal async Task<StoreResult<T>> WriteAsync<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken)
    {
        var write = new Write<T>(work);
        await _writes.Writer.WriteAsync(write, cancellationToken);
        return await write.Done.Task;
    }

    /// <summary>Runs a read on a connection of its own, off the caller's thread.</summary>
    internal Task<T> ReadAsync<T>(Func<SqliteSession, T> work, CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            using var session = new SqliteSession(_path);
            return work(session);
        },
        cancellationToken);

    private void WriteLoop()
    {
        var batch = new List<Write>();
        while (WaitForWrites())
        {
            batch.Clear();
            while (batch.Count < MostWritesACommit && _writes.Reader.TryRead(out var write))
            {
                batch.Add(write);
            }

            Commit(batch);
        }

        _session.Dispose();
        _arrived.Dispose();
        _stopped.SetResult();
    }

    private bool WaitForWrites()
    {
        _arrived.Reset();
        var waiting = _writes.Reader.WaitToReadAsync().GetAwaiter();
        if (!waiting.IsCompleted)
        {
            waiting.OnCompleted(_arrived.Set);
            _arrived.Wait();
        }

        return waiting.GetResult();
    }

    private void Commit(List<Write> batch)
    {
        if (TryBegin() is { } locked)
        {
            // Another process holds the file. Each write of the batch would wait for it in vain, one after the other.
            batch.ForEach(write => write.Fail(locked));
        }
        else if (TryCommit(batch) is not { } fault)
        {
            batch.ForEach(write => write.Complete());
        }
        else if (batch.Count == 1)
        {
            batch[0].Fail(fault);
        }
        else
        {
            // One write that does not fit must not fail those that came with it.
            batch.ForEach(write => Commit([write]));
        }
    }

    private Exception? TryBegin()
    {
        try
        {
            _session.Run("BEGIN IMMEDIATE");
            return null;
        }
        catch (SqliteException fault)
        {
            return fault;
        }
    }

    private Exception? TryCommit(List<Write> batch)
    {
        try
        {
            batch.ForEach(write => write.Run(_session));
            _session.Run("COMMIT");
            return null;
        }
        catch (Exception fault)
        {
            // Whatever failed, a work's own bug included, is its caller's to hear of; the loop goes on.
            _session.RollBack();
            return fault;
        }
    }

    private abstract class Write
    {
        public abstract void Run(SqliteSession session);

        public abstract void Complete();

        public abstract void Fail(Exception fault);
    }

    private sealed class Write<T>(Func<SqliteSession, T> work) : Write
    {
        private T? _value;

        public TaskCompletionSource<StoreResult<T>> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override void Run(SqliteSession session) => _value = work(session);

        public override void Complete() => Done.SetResult(new StoreResult<T>(_value!, null));

        public override void Fail(Exception fault)
        {
            if (fault is SqliteException sqlite)
            {
                Done.SetResult(new StoreResult<T>(default!, sqlite.SqliteErrorCode == SQLitePCL.raw.SQLITE_FULL ? StorageFault.Full : StorageFault.Unavailable));
            }
            else
            {
                Done.SetException(fault);
            }
        }
    }
}
