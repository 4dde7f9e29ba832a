using System.Collections.Concurrent;
using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Fetches the pixels of images that wait to be encoded, off the device thread, at most so many at once, and holds at most a few of them. Requests about the same
/// picture share one entry. All members belong to the engine's thread; only finished loads come in from others.
/// </summary>
internal sealed class PixelPool(EngineOptions options, TimeProvider time, Action wake) : IPixelSource
{
    private const int HeldPerLoad = 4;

    private readonly Dictionary<CacheKey, Entry> _entries = [];
    private readonly LinkedList<Entry> _prefetch = [];
    private readonly Dictionary<Entry, Task> _loads = [];
    private readonly ConcurrentQueue<(Entry Entry, float[]? Pixels, Exception? Error)> _finished = [];
    private readonly CancellationTokenSource _stop = new();
    private int _ready;

    public int Count => _entries.Count;

    public bool IsReady(CacheKey image) => _entries.TryGetValue(image, out var entry) && entry.Pixels is not null;

    public bool IsNeeded(CacheKey image) => _entries.ContainsKey(image);

    /// <summary>A request that will need this image exists. Unless its features are there already, its pixels are fetched ahead while there is room.</summary>
    /// <param name="adapter">Slot of the adapter that changes how it is encoded; the request has pinned it.</param>
    public void Add(CacheKey key, PromptImage image, bool encoded, int adapter = AdapterPin.None)
    {
        if (!_entries.TryGetValue(key, out var entry))
        {
            entry = new Entry(key, image, adapter);
            _entries.Add(key, entry);
            if (!encoded)
            {
                entry.Prefetch = _prefetch.AddLast(entry);
            }
        }

        entry.Users++;
    }

    /// <summary>A request that needed this image is over; the last one's end cancels the load.</summary>
    public void Remove(CacheKey key)
    {
        var entry = _entries[key];
        if (--entry.Users == 0)
        {
            SetPixels(entry, null);
            LeavePrefetch(entry);
            _entries.Remove(key);
            if (_loads.TryGetValue(entry, out var load))
            {
                // Whatever the loader has registered runs elsewhere: the device thread is not its.
                _loads[entry] = Task.WhenAll(load, entry.Unneeded.CancelAsync());
            }
        }
    }

    /// <summary>What to encode.</summary>
    public ImageWork Work(ImageEncode encode)
    {
        var entry = _entries[encode.Key];
        return new ImageWork(encode.Slot, entry.Image, entry.Pixels ?? throw new InvalidOperationException("An image was to be encoded before its pixels were there."), entry.Adapter);
    }

    /// <summary>The image was encoded: its pixels are not needed until its features are evicted.</summary>
    public void Encoded(CacheKey key)
    {
        if (_entries.TryGetValue(key, out var entry))
        {
            SetPixels(entry, null);
        }
    }

    /// <summary>
    /// Starts loads: what the scheduler wants first, then what is fetched ahead. What is wanted takes the room of pixels that nobody could use now, for those
    /// may belong to sequences that cannot go on before they have what is wanted.
    /// </summary>
    public void Start(IReadOnlyList<CacheKey> wanted)
    {
        foreach (var key in wanted)
        {
            if (_entries.TryGetValue(key, out var entry) && NeedsLoad(entry) && _loads.Count < options.MaxImageLoads && (HasRoom || TryDropOneBut(wanted)))
            {
                Load(entry);
            }
        }

        while (_loads.Count < options.MaxImageLoads && HasRoom && _prefetch.First is { Value: var next })
        {
            Load(next);
        }
    }

    /// <summary>Takes in finished loads; those that failed are reported.</summary>
    public void Collect(Action<CacheKey, Exception> failed)
    {
        while (_finished.TryDequeue(out var load))
        {
            _loads.Remove(load.Entry);
            if (load.Entry.Users == 0)
            {
                continue;
            }

            SetPixels(load.Entry, load.Pixels);
            if (load.Error is not null)
            {
                failed(load.Entry.Key, load.Error);
            }
        }
    }

    /// <summary>Cancels loads and waits for them. The engine's thread must be done.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_loads.Values).ConfigureAwait(false);
        _stop.Dispose();
    }

    private bool HasRoom => _ready + _loads.Count < options.MaxImageLoads * HeldPerLoad;

    private bool NeedsLoad(Entry entry) => entry.Pixels is null && !_loads.ContainsKey(entry);

    private bool TryDropOneBut(IReadOnlyList<CacheKey> wanted)
    {
        var unused = _entries.Values.FirstOrDefault(entry => entry.Pixels is not null && !wanted.Contains(entry.Key));
        if (unused is null)
        {
            return false;
        }

        SetPixels(unused, null);
        return true;
    }

    private void Load(Entry entry)
    {
        LeavePrefetch(entry);
        _loads.Add(entry, Task.Run(() => LoadAsync(entry)));
    }

    private void LeavePrefetch(Entry entry)
    {
        if (entry.Prefetch is { } node)
        {
            _prefetch.Remove(node);
            entry.Prefetch = null;
        }
    }

    // A loader that does not heed its token keeps its place until it is done: the places bound what is decoded at the same time.
    private async Task LoadAsync(Entry entry)
    {
        using var late = new CancellationTokenSource(options.ImageLoadTimeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, entry.Unneeded.Token, late.Token);
        try
        {
            var pixels = await entry.Image.LoadPixels(stop.Token).ConfigureAwait(false);
            _finished.Enqueue((entry, pixels, null));
        }
        catch (Exception exception)
        {
            // Whatever a loader throws fails the requests that need the image, nothing else.
            var error = late.IsCancellationRequested ? new TimeoutException($"Loading took longer than {options.ImageLoadTimeout.TotalSeconds} s.", exception) : exception;
            _finished.Enqueue((entry, null, error));
        }

        wake();
    }

    private void SetPixels(Entry entry, float[]? pixels)
    {
        _ready += (pixels is null ? 0 : 1) - (entry.Pixels is null ? 0 : 1);
        entry.Pixels = pixels;
    }

    private sealed class Entry(CacheKey key, PromptImage image, int adapter)
    {
        public CacheKey Key => key;

        public PromptImage Image => image;

        public int Adapter => adapter;

        /// <summary>Requests that need it; 0 once it is out of the pool.</summary>
        public int Users { get; set; }

        public float[]? Pixels { get; set; }

        /// <summary>Its place among those to fetch ahead; null once a load has begun.</summary>
        public LinkedListNode<Entry>? Prefetch { get; set; }

        public CancellationTokenSource Unneeded { get; } = new();
    }
}
