using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Objects;
using LlavaCluster.TestSupport;
using LlavaCluster.Worker.Serving;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlavaCluster.Worker.Tests;

/// <summary>Stored adapters through the worker's whole path, on a golden checkpoint with its golden adapter.</summary>
public sealed class AdapterLoaderTests : IAsyncDisposable
{
    private const string Checkpoint = "a_llava15";
    private const int GoldenTokens = 24;

    private readonly string _folder = Directory.CreateTempSubdirectory("llava-worker-").FullName;
    private readonly DataDirectory _data;
    private readonly CountedStore _objects;
    private readonly byte[] _adapter;
    private LlavaEngineHost? _host;

    public AdapterLoaderTests()
    {
        _data = DataDirectory.Open(Path.Combine(_folder, "data"));
        _objects = new CountedStore(new DirectoryObjectStore(Path.Combine(_folder, "objects"), null));
        AdapterFile.Pack(Goldens.Path(Checkpoint, "adapter"), Path.Combine(_folder, "adapter"));
        _adapter = File.ReadAllBytes(Path.Combine(_folder, "adapter"));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Generate_WithAStoredAdapter_DrawsItsGoldenIdsBesideTheBaseAndReadsItOnce()
    {
        await StartAsync();
        var adapter = await StoreAsync(TenantId.Default, _adapter);
        ObjectId?[] adapters = [adapter, null, adapter, adapter, null];

        var answers = await Task.WhenAll(adapters.Select(name => CollectAsync(name)));
        var again = await CollectAsync(adapter);

        Assert.Equal(adapters.Select(name => name is null ? Base : Adapted), answers.Select(Tokens));
        Assert.Equal(Adapted, Tokens(again));
        Assert.Equal(1, _objects.Opened);
    }

    [Fact]
    public async Task Generate_WhenTheAdapterMadeRoomForOthers_LoadsItAgain()
    {
        await StartAsync(adapterBytes: 30_000);
        var first = await StoreAsync(TenantId.Default, _adapter);
        var second = await StoreAsync(TenantId.Default, Other());

        Assert.Equal(Adapted, Tokens(await CollectAsync(first)));
        Assert.NotEqual(Adapted, Tokens(await CollectAsync(second)));
        Assert.Equal(Adapted, Tokens(await CollectAsync(first)));
        Assert.Equal(3, _objects.Opened);
    }

    [Fact]
    public async Task Generate_WithAnAdapterOfAnotherTenant_DoesNotFindIt()
    {
        await StartAsync();
        var adapter = await StoreAsync(TenantId.Default, _adapter);
        await CollectAsync(adapter);

        var updates = await CollectAsync(adapter, TenantId.Parse("other"));

        Assert.Equal(new ChatFailure(ChatFailureKind.ModelNotFound, $"The adapter {adapter} is not stored.", "adapter"), updates[^1].Failure);
        Assert.True(updates[^1].Completed);
    }

    [Fact]
    public async Task Generate_WithAnAdapterForAnotherBase_SaysWhatDoesNotFit()
    {
        await StartAsync();
        AdapterFile.Pack(Goldens.Path("b_llava_gqa_bf16", "adapter"), Path.Combine(_folder, "foreign"));
        var adapter = await StoreAsync(TenantId.Default, await File.ReadAllBytesAsync(Path.Combine(_folder, "foreign"), Token));

        var failure = (await CollectAsync(adapter))[^1].Failure!;

        Assert.Equal(failure, await _host!.CheckAdapterAsync(TenantId.Default, adapter, Token));
        Assert.Null(await _host.CheckAdapterAsync(TenantId.Default, await StoreAsync(TenantId.Default, _adapter), Token));
        Assert.Equal((ChatFailureKind.InvalidRequest, "adapter"), (failure.Kind, failure.Field));
        Assert.StartsWith($"The adapter {adapter} cannot be used with this model: it: tensor '", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Path.GetTempPath(), failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_WithAnObjectThatIsTooLargeOrNoneOfItsName_IsRefused()
    {
        await StartAsync(objectBytes: _adapter.Length - 1);
        var large = await StoreAsync(TenantId.Default, _adapter);
        Assert.Equal($"An adapter must be stored in <= {_adapter.Length - 1} bytes; {large} is larger.", (await CollectAsync(large))[^1].Failure!.Message);

        var damaged = await StoreAsync(TenantId.Default, [1, 2, 3]);
        _objects.Damages = true;
        Assert.Equal(new ChatFailure(ChatFailureKind.ModelUnavailable, $"The adapter {damaged} is damaged where it is stored.", "adapter"), (await CollectAsync(damaged))[^1].Failure);
    }

    [Fact]
    public async Task Generate_WhenTheAdapterIsOverTheDevicesBudget_NamesTheBound()
    {
        await StartAsync(adapterBytes: 10);

        var failure = (await CollectAsync(await StoreAsync(TenantId.Default, _adapter)))[^1].Failure!;

        Assert.Equal(ChatFailureKind.InvalidRequest, failure.Kind);
        Assert.StartsWith("An adapter must take <= 10 bytes on the device; this one takes ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_WhenTheStoreFails_MayBeTriedElsewhereAndAgain()
    {
        await StartAsync();
        var adapter = await StoreAsync(TenantId.Default, _adapter);
        _objects.Fault = new IOException("gone");
        Assert.Equal(new ChatFailure(ChatFailureKind.ModelUnavailable, "The adapter could not be loaded (IOException).", "adapter"), (await CollectAsync(adapter))[^1].Failure);

        _objects.Fault = null;
        Assert.Equal(Adapted, Tokens(await CollectAsync(adapter)));
    }

    [Fact]
    public async Task Erase_OfATenant_LeavesNothingOfItInMemoryAndOfAnotherWhatItHas()
    {
        await StartAsync();
        var (ours, theirs) = (TenantId.Parse("ours"), TenantId.Parse("theirs"));
        var (shared, own) = (await StoreAsync(ours, _adapter), await StoreAsync(ours, Other()));
        await StoreAsync(theirs, _adapter);
        await CollectAsync(shared, ours);
        await CollectAsync(own, ours);
        await CollectAsync(shared, theirs);
        var opened = _objects.Opened;
        var running = _host!.GenerateAsync(Request(own, ours), Token).GetAsyncEnumerator(Token);
        Assert.True(await running.MoveNextAsync());

        Assert.Null(await _host.EraseAsync(ours, Token)); // it still ends what runs
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await running.MoveNextAsync())
            {
                // To its end.
            }
        });
        var erased = await _host.EraseAsync(ours, Token);

        Assert.InRange(erased!.Value.Blocks, 1, 100);
        Assert.Equal(1, erased.Value.Adapters);
        Assert.Equal(default(ErasedCaches), await _host.EraseAsync(ours, Token));
        Assert.Equal(Adapted, Tokens(await CollectAsync(shared, theirs)));
        Assert.Equal(opened, _objects.Opened);
        await CollectAsync(own, ours);
        Assert.Equal(opened + 1, _objects.Opened);
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
        {
            await _host.DisposeAsync();
        }

        _data.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static List<int> Base => Ids("generate.json", root => root.GetProperty("text").GetProperty("ids"));

    private static List<int> Adapted => Ids("meta.json", root => root.GetProperty("lora").GetProperty("greedy_ids").GetProperty("text"));

    /// <summary>The golden adapter with twice its scale.</summary>
    private byte[] Other()
    {
        var folder = Path.Combine(_folder, "other");
        AdapterFile.Unpack(Path.Combine(_folder, "adapter"), folder);
        var config = Path.Combine(folder, "adapter_config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"lora_alpha\": 8", "\"lora_alpha\": 16", StringComparison.Ordinal));
        AdapterFile.Pack(folder, Path.Combine(_folder, "second"));
        return File.ReadAllBytes(Path.Combine(_folder, "second"));
    }

    private async Task StartAsync(long adapterBytes = 1 << 24, long objectBytes = 1 << 24)
    {
        var options = new WorkerOptions { ModelFolder = Goldens.Path(Checkpoint), Template = "bare", Threads = 1, KvBytes = 1 << 24, AdapterBytes = adapterBytes, AdapterObjectBytes = objectBytes };
        _host = new LlavaEngineHost(new ModelLoading(options, TimeProvider.System), _objects, _data, TimeProvider.System, new EngineInstruments(), NullLoggerFactory.Instance);
        await _host.StartAsync(Token);
    }

    private async Task<ObjectId> StoreAsync(TenantId tenant, byte[] content)
    {
        var id = ObjectId.Of(content);
        Assert.Null(await _objects.PutAsync(tenant, id, content, Token));
        return id;
    }

    private static GenerateRequest Request(ObjectId? adapter, TenantId tenant) => new()
    {
        Tenant = tenant,
        TurnId = Guid.NewGuid(),
        Model = Checkpoint,
        Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfText("Name three colours.")])],
        Options = new GenerationOptions { MaxTokens = GoldenTokens, Seed = 0, Temperature = 0, IgnoreEos = true },
        Journal = [[]],
        Adapter = adapter,
    };

    private async Task<List<GenerateUpdate>> CollectAsync(ObjectId? adapter, TenantId? tenant = null)
    {
        var updates = new List<GenerateUpdate>();
        await foreach (var update in _host!.GenerateAsync(Request(adapter, tenant ?? TenantId.Default), Token))
        {
            updates.Add(update);
        }

        return updates;
    }

    private static List<int> Tokens(IEnumerable<GenerateUpdate> updates) => [.. updates.Where(update => update.Token >= 0).Select(update => update.Token)];

    private static List<int> Ids(string file, Func<JsonElement, JsonElement> find)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(Checkpoint, "expected", file)));
        return [.. find(document.RootElement).EnumerateArray().Select(id => id.GetInt32())];
    }

    private sealed class CountedStore(IObjectStore objects) : IObjectStore
    {
        private int _opened;

        public int Opened => _opened;

        public Exception? Fault { get; set; }

        /// <summary>Gives other bytes than were stored.</summary>
        public bool Damages { get; set; }

        public Task<StorageFault?> PutAsync(TenantId tenant, ObjectId id, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => objects.PutAsync(tenant, id, content, cancellationToken);

        public Task<StoredObject> PutAsync(TenantId tenant, Stream content, long mostBytes, CancellationToken cancellationToken) => objects.PutAsync(tenant, content, mostBytes, cancellationToken);

        public Task<Stream?> OpenAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _opened);
            return Fault is not null ? throw Fault : Damages ? Task.FromResult<Stream?>(new MemoryStream([9])) : objects.OpenAsync(tenant, id, cancellationToken);
        }

        public Task<bool> DeleteAsync(TenantId tenant, ObjectId id, CancellationToken cancellationToken) => objects.DeleteAsync(tenant, id, cancellationToken);

        public Task DeleteUnlessAsync(TenantId tenant, ObjectId id, Func<Task<bool>> isNeeded) => objects.DeleteUnlessAsync(tenant, id, isNeeded);

        public Task<ObjectTotals> TotalsAsync(TenantId tenant, CancellationToken cancellationToken) => objects.TotalsAsync(tenant, cancellationToken);

        public Task<ObjectTotals> EraseAsync(TenantId tenant, CancellationToken cancellationToken) => objects.EraseAsync(tenant, cancellationToken);
    }
}
