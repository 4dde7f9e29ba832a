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
        Assert.False(await new DirectoryObjectStore(_folder.Path, null).DeleteAsync(Ours, ImageId.Of([1]), Token));

    [Fact]
    public async Task Open_GivesWhatWasPutToItsTenantAndNothingToAnother()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        await Gen.Byte.Array[1, 3000].SampleAsync(
            async content =>
            {
                var id = ImageId.Of(content);
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

        Assert.Null(await store.PutAsync(Ours, ImageId.Of(content), content, Token));
        Assert.Null(await store.PutAsync(Ours, ImageId.Of(content), content, Token));

        Assert.Equal(new ObjectTotals(1, 3), await store.TotalsAsync(Ours, Token));
    }

    [Fact]
    public async Task Put_OverTheTenantsShare_IsFullAndKeepsWhatWasThere()
    {
        var store = new DirectoryObjectStore(_folder.Path, 10);
        byte[] first = [.. Enumerable.Repeat((byte)1, 8)], second = [.. Enumerable.Repeat((byte)2, 8)];

        Assert.Null(await store.PutAsync(Ours, ImageId.Of(first), first, Token));
        Assert.Equal(StorageFault.Full, await store.PutAsync(Ours, ImageId.Of(second), second, Token));
        Assert.Null(await store.PutAsync(Theirs, ImageId.Of(second), second, Token));

        Assert.Equal(new ObjectTotals(1, 8), await store.TotalsAsync(Ours, Token));
    }

    [Fact]
    public async Task Erase_RemovesAllOfOneTenantAndSaysWhat()
    {
        var store = new DirectoryObjectStore(_folder.Path, null);
        byte[] first = [1], second = [2, 2];
        await store.PutAsync(Ours, ImageId.Of(first), first, Token);
        await store.PutAsync(Ours, ImageId.Of(second), second, Token);
        await store.PutAsync(Theirs, ImageId.Of(first), first, Token);

        Assert.Equal(new ObjectTotals(2, 3), await store.EraseAsync(Ours, Token));

        Assert.Equal(new ObjectTotals(0, 0), await store.TotalsAsync(Ours, Token));
        Assert.Equal(new ObjectTotals(1, 1), await store.TotalsAsync(Theirs, Token));
    }

    public void Dispose() => _folder.Dispose();
}
