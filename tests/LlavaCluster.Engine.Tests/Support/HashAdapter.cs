using LlavaCluster.Engine.Execution;

namespace LlavaCluster.Engine.Tests.Support;

/// <summary>An adapter without tensors: its number goes into every state, and into features where it changes them.</summary>
internal sealed class HashAdapter(ulong number, long bytes, bool changesFeatures = false) : IPreparedAdapter
{
    public ulong Number => number;

    public long Bytes => bytes;

    public bool ChangesFeatures => changesFeatures;

    public bool IsDisposed { get; private set; }

    public void Dispose() => IsDisposed = true;
}
