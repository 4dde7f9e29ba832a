using CsCheck;
using LlavaCluster.Engine.Adapters;

namespace LlavaCluster.Engine.Tests.Adapters;

public sealed class AdapterTableTests
{
    private readonly AdapterTable _table = new(10);
    private readonly List<int> _evicted = [];

    [Fact]
    public void TryPin_BeforeItIsPublished_FindsNothing()
    {
        Assert.True(_table.TryReserve(Digest(1), 4, true, _evicted, out var slot));
        Assert.Null(_table.TryPin(Digest(1)));
        Assert.False(_table.Contains(Digest(1)));

        _table.Publish(slot);

        Assert.Equal((slot, true), (_table.TryPin(Digest(1))!.Slot, _table.TryPin(Digest(1))!.ChangesFeatures));
    }

    [Fact]
    public void TryReserve_WhenRoomIsNeeded_EvictsTheLeastRecentlyReleased()
    {
        Load(1, 4);
        Load(2, 4);
        _table.TryPin(Digest(1))!.Release();

        Load(3, 4);

        Assert.Equal([1], _evicted);
        Assert.Equal([true, false, true], new[] { 1, 2, 3 }.Select(i => _table.Contains(Digest(i))));
        Assert.Equal((2, 8L), (_table.Count, _table.Bytes));
    }

    [Fact]
    public void TryReserve_WhenPinnedOnesLeaveNoRoom_ChangesNothing()
    {
        Load(1, 4);
        Load(2, 4);
        var pin = _table.TryPin(Digest(2))!;

        Assert.False(_table.TryReserve(Digest(3), 7, false, _evicted, out _));
        Assert.Empty(_evicted);
        Assert.True(_table.Contains(Digest(1)));

        pin.Release();
        pin.Release();
        Assert.True(_table.TryReserve(Digest(3), 7, false, _evicted, out _));
        Assert.Equal([0, 1], _evicted);
    }

    [Fact]
    public void Forget_GivesRoomAndSlotBack()
    {
        Assert.True(_table.TryReserve(Digest(1), 10, false, _evicted, out var slot));
        _table.Forget(slot);

        Assert.True(_table.TryReserve(Digest(1), 10, false, _evicted, out var again));
        Assert.Equal(slot, again);
        Assert.Empty(_evicted);
    }

    [Fact]
    public void Anything_NeverEvictsWhatIsPinnedAndNeverExceedsTheBudget() => Gen.Select(Gen.Int[0, 2], Gen.Int[0, 5], Gen.Int[1, 5]).Array[1, 80].Sample(actions =>
    {
        var table = new AdapterTable(10);
        var (loaded, pins) = (new Dictionary<int, (int Slot, int Bytes)>(), new List<(int Adapter, AdapterPin Pin)>());
        foreach (var (action, adapter, bytes) in actions)
        {
            switch (action)
            {
                case 0 when !loaded.ContainsKey(adapter):
                    var evicted = new List<int>();
                    var free = 10 - loaded.Where(entry => pins.Any(pin => pin.Adapter == entry.Key)).Sum(entry => entry.Value.Bytes);
                    Assert.Equal(bytes <= free, table.TryReserve(Digest(adapter), bytes, false, evicted, out var slot));
                    Assert.DoesNotContain(evicted, gone => pins.Any(pin => pin.Pin.Slot == gone));
                    foreach (var gone in loaded.Where(entry => evicted.Contains(entry.Value.Slot)).Select(entry => entry.Key).ToArray())
                    {
                        loaded.Remove(gone);
                    }

                    if (slot >= 0)
                    {
                        Assert.DoesNotContain(loaded.Values, entry => entry.Slot == slot);
                        loaded.Add(adapter, (slot, bytes));
                        table.Publish(slot);
                    }

                    break;
                case 1:
                    var pin = table.TryPin(Digest(adapter));
                    Assert.Equal(loaded.ContainsKey(adapter), pin is not null);
                    if (pin is not null)
                    {
                        Assert.Equal(loaded[adapter].Slot, pin.Slot);
                        pins.Add((adapter, pin));
                    }

                    break;
                case 2 when pins.Count > 0:
                    pins[adapter % pins.Count].Pin.Release();
                    pins.RemoveAt(adapter % pins.Count);
                    break;
            }

            Assert.Equal(((long)loaded.Values.Sum(entry => entry.Bytes), loaded.Count), (table.Bytes, table.Count));
            Assert.InRange(table.Bytes, 0, 10);
        }
    });

    private static ContentDigest Digest(int number) => ContentDigest.Of([(byte)number]);

    private void Load(int number, long bytes)
    {
        Assert.True(_table.TryReserve(Digest(number), bytes, false, _evicted, out var slot));
        _table.Publish(slot);
    }
}
