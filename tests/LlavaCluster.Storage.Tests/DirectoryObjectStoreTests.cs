using CsCheck;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Storage.Tests;

public sealed class DirectoryObjectStoreTests : IDisposable
{
    private static readonly TenantId Ours = TenantId.Default, Theirs = TenantId.Parse("other");

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Delete_OfAnObjectThatIsNotThere_IsFalse() =>
        Assert.False(await new DirectoryObjectStore(_folder.Path, null).DeleteAsync(Ours, ObjectId.Of([1]), Token));

    [Fact]
    public async Task DeleteUnless_OfAnObjectThatIsNeeded_NeverTakesItAway()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        await store.PutAsync(Ours, ObjectId.Of([1]), new byte[] { 1 }, Token);
        await store.DeleteUnlessAsync(Ours, ObjectId.Of([1]), async () =>
        {
            Assert.Equal(1, (await store.TotalsAsync(Ours, Token)).Count); // a process that dies here leaves it
            return true;
        });
        Assert.Equal(1, (await store.TotalsAsync(Ours, Token)).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task DeleteUnless_OfAnObjectThatIsNeededMeanwhile_PutsItBack(bool failsToAsk)
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        await store.PutAsync(Ours, ObjectId.Of([1]), new byte[] { 1 }, Token);
        var asked = 0;
        var fault = await Record.ExceptionAsync(() => store.DeleteUnlessAsync(Ours, ObjectId.Of([1]), () =>
            Task.FromResult(asked++ > 0 && (failsToAsk ? throw new IOException("The store is away.") : true))));
        Assert.Equal(failsToAsk, fault is IOException);
        await using var kept = await store.OpenAsync(Ours, ObjectId.Of([1]), Token);
        Assert.NotNull(kept);
    }

    [Fact]
    public async Task DeleteUnless_OfAnObjectThatNobodyNeeds_LeavesNothing()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        await store.PutAsync(Ours, ObjectId.Of([1]), new byte[] { 1 }, Token);
        await store.DeleteUnlessAsync(Ours, ObjectId.Of([1]), () => Task.FromResult(false));
        await store.DeleteUnlessAsync(Ours, ObjectId.Of([1]), () => Task.FromResult(false)); // and again, where it is gone
        Assert.Empty(Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Open_GivesWhatWasPutToItsTenantAndNothingToAnother()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        await Gen.Byte.Array[1, 3000].SampleAsync(
            async content =>
            {
                var id = ObjectId.Of(content);
                Assert.Null(await store.PutAsync(Ours, id, content, Token));
                await using var stream = await store.OpenAsync(Ours, id, Token);
                using var read = new MemoryStream();
                await stream!.CopyToAsync(read, Token);
                Assert.Equal(content, read.ToArray());
                Assert.Null(await store.OpenAsync(Theirs, id, Token));
            },
            iter: 30);
    }

    [Fact]
    public async Task Put_OfTheSameContentTwice_CountsOnce()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        byte[] content = [1, 2, 3];

        Assert.Null(await store.PutAsync(Ours, ObjectId.Of(content), content, Token));
        Assert.Null(await store.PutAsync(Ours, ObjectId.Of(content), content, Token));

        Assert.Equal(new ObjectTotals(1, 3), await store.TotalsAsync(Ours, Token));
    }

    [Fact]
    public async Task Put_OverTheTenantsShare_IsFullAndKeepsWhatWasThere()
    {
        var store = new DirectoryObjectStore(_folder.Path, 10);
        byte[] first = [.. Enumerable.Repeat((byte)1, 8)], second = [.. Enumerable.Repeat((byte)2, 8)];

        Assert.Null(await store.PutAsync(Ours, ObjectId.Of(first), first, Token));
        Assert.Equal(StorageFault.Full, await store.PutAsync(Ours, ObjectId.Of(second), second, Token));
        Assert.Null(await store.PutAsync(Theirs, ObjectId.Of(second), second, Token));

        Assert.Equal(new ObjectTotals(1, 8), await store.TotalsAsync(Ours, Token));
    }

    [Fact]
    public async Task Erase_RemovesAllOfOneTenantAndSaysWhat()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        byte[] first = [1], second = [2, 2];
        await store.PutAsync(Ours, ObjectId.Of(first), first, Token);
        await store.PutAsync(Ours, ObjectId.Of(second), second, Token);
        await store.PutAsync(Theirs, ObjectId.Of(first), first, Token);

        Assert.Equal(new ObjectTotals(2, 3), await store.EraseAsync(Ours, Token));

        Assert.Equal(new ObjectTotals(0, 0), await store.TotalsAsync(Ours, Token));
        Assert.Equal(new ObjectTotals(1, 1), await store.TotalsAsync(Theirs, Token));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789")]
    [InlineData("../../0123456789abcdef0123456789abcdef0123456789abcdef0123456789")]
    public void Id_OfWhatNamesNoObject_IsNone(string text)
    {
        Assert.False(ObjectId.TryParse(text, out _));
        Assert.Throws<FormatException>(() => ObjectId.Parse(text));
    }

    [Fact]
    public async Task Put_OfAStream_NamesItByItsBytesAndLeavesNothingElse()
    {
        var store = new DirectoryObjectStore(_folder.Path, 400_000);
        var content = new byte[300_000];
        new Random(1).NextBytes(content);

        Assert.Equal(new StoredObject(ObjectId.Of(content), content.Length), await store.PutAsync(Ours, new MemoryStream(content), content.Length, Token));
        Assert.Equal(new StoredObject(ObjectId.Of(content), content.Length), await store.PutAsync(Ours, new MemoryStream(content), content.Length, Token));
        Assert.True((await store.PutAsync(Ours, new MemoryStream(content), content.Length - 1, Token)).TooLong);
        content[0]++;
        Assert.Equal(StorageFault.Full, (await store.PutAsync(Ours, new MemoryStream(content), content.Length, Token)).Fault);
        await Assert.ThrowsAsync<EndOfStreamException>(() => store.PutAsync(Ours, new BrokenStream(content), content.Length, Token));

        Assert.Equal(new ObjectTotals(1, content.Length), await store.TotalsAsync(Ours, Token));
        Assert.Single(Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Ends in the middle, as a client's connection does.</summary>
    private sealed class BrokenStream(byte[] content) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Position > Length / 2 ? throw new EndOfStreamException() : base.ReadAsync(buffer, cancellationToken);
    }
}
