using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage.Files;

namespace LlavaCluster.Storage.Tests;

public sealed class FileStoreTests : IAsyncDisposable
{
    private static readonly TenantId Ours = TenantId.Parse("acme");

    private readonly StoreFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _folder.DisposeAsync();

    [Fact]
    public async Task Find_GivesWhatWasPut_AlsoThroughAnotherOpening_AndOnlyToItsTenant()
    {
        var file = File(1, "fine-tune", 10);
        Assert.Null(await new SqliteFileStore(_folder.Open()).PutAsync(Ours, file, Token));

        var store = new SqliteFileStore(_folder.Open());
        Assert.Equal(file, await store.FindAsync(Ours, file.Id, Token));
        Assert.Null(await store.FindAsync(TenantId.Default, file.Id, Token));
        Assert.Empty(await store.ListAsync(TenantId.Default, new FileQuery(null, null, true, 10), Token));
        Assert.False(await store.RemoveAsync(TenantId.Default, file.Id, Token));
    }

    [Fact]
    public async Task Put_OfTheSameContent_RenamesTheFileAndKeepsItsAge()
    {
        var store = new SqliteFileStore(_folder.Open());
        var file = File(1, "vision", 10);
        await store.PutAsync(Ours, file, Token);
        await store.PutAsync(Ours, file with { Name = "other", Purpose = "fine-tune", CreatedAt = file.CreatedAt.AddDays(1) }, Token);

        Assert.Equal(file with { Name = "other", Purpose = "fine-tune" }, await store.FindAsync(Ours, file.Id, Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task List_InPages_GivesEveryFileOfAPurposeOnceInOrder(bool oldestFirst)
    {
        var store = new SqliteFileStore(_folder.Open());
        // Two of each moment: the order within it must be one, too.
        var files = Enumerable.Range(0, 9).Select(number => File((byte)number, number % 3 == 0 ? "vision" : "fine-tune", number / 2)).ToArray();
        foreach (var file in files)
        {
            await store.PutAsync(Ours, file, Token);
        }

        var listed = new List<StoredFile>();
        while (await store.ListAsync(Ours, new FileQuery("fine-tune", listed.LastOrDefault()?.Id, oldestFirst, 4), Token) is { IsEmpty: false } page)
        {
            listed.AddRange(page);
        }

        var expected = files.Where(file => file.Purpose == "fine-tune").OrderBy(file => file.CreatedAt).ThenBy(file => file.Id.Value, StringComparer.Ordinal);
        Assert.Equal(oldestFirst ? expected : expected.Reverse(), listed);
        Assert.Equal(9, (await store.ListAsync(Ours, new FileQuery(null, null, oldestFirst, 100), Token)).Length);
        Assert.Empty(await store.ListAsync(Ours, new FileQuery(null, ObjectId.Of([99]), oldestFirst, 100), Token));
    }

    [Fact]
    public async Task Remove_ForgetsAFileOnce()
    {
        var store = new SqliteFileStore(_folder.Open());
        var file = File(1, "vision", 10);
        await store.PutAsync(Ours, file, Token);

        Assert.True(await store.RemoveAsync(Ours, file.Id, Token));
        Assert.False(await store.RemoveAsync(Ours, file.Id, Token));
        Assert.Null(await store.FindAsync(Ours, file.Id, Token));
    }

    private static StoredFile File(byte content, string purpose, int seconds) =>
        new(ObjectId.Of([content]), $"{content}.jsonl", purpose, 7, DateTimeOffset.FromUnixTimeSeconds(1_700_000_000 + seconds));
}
