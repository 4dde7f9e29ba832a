namespace LlavaCluster.Storage.Sqlite;

/// <summary>A write's value, or why it was not taken.</summary>
internal readonly record struct StoreResult<T>(T Value, StorageFault? Fault)
{
    /// <exception cref="IOException">The write was not taken.</exception>
    public T ValueOrThrow() => Fault is { } fault ? throw new IOException($"The store did not take the write: {fault}.") : Value;
}
