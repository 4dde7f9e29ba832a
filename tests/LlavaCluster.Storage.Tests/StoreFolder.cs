using LlavaCluster.Storage.Sqlite;

namespace LlavaCluster.Storage.Tests;

/// <summary>A folder for a test's files, and stores over one of them.</summary>
internal sealed class StoreFolder : IAsyncDisposable
{
    private readonly List<SqliteStore> _stores = [];

    public string Path { get; } = Directory.CreateTempSubdirectory("llava-").FullName;

    public string File => System.IO.Path.Combine(Path, "llava.db");

    /// <summary>Another opening of the same file, as another process has it.</summary>
    public SqliteStore Open(long? maxPages = null, TimeSpan? busyTimeout = null)
    {
        var store = new SqliteStore(File, maxPages, busyTimeout);
        _stores.Add(store);
        return store;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
        {
            await store.DisposeAsync();
        }

        Directory.Delete(Path, recursive: true);
    }
}
