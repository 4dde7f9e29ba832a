namespace LlavaCluster.Engine.Adapters;

/// <summary>A request's hold on a loaded adapter: its slot belongs to it until the release. Any thread.</summary>
/// <param name="slot">Where the adapter lies.</param>
/// <param name="changesFeatures">Whether pictures have other features with it than with the base.</param>
internal sealed class AdapterPin(AdapterTable table, int slot, bool changesFeatures)
{
    /// <summary>The slot of the base.</summary>
    public const int None = -1;

    private int _released;

    public int Slot => slot;

    public bool ChangesFeatures => changesFeatures;

    /// <summary>Lets go of it; more than once changes nothing.</summary>
    public void Release()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0)
        {
            table.Release(slot);
        }
    }
}
