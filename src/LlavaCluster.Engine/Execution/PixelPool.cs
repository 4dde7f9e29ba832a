using System.Collections.Concurrent;
using LlavaCluster.Engine.Caching;
using LlavaCluster.Engine.Scheduling;

namespace LlavaCluster.Engine.Execution;

/// <summary>
/// Fetches the pixels of images that wait to be encoded, off the device thread, at most so many at once, and holds at most a few of them. Requests about the same
/// picture share one entry. All members belong to the engine's thread; only finished loads come in from others.
/// </summary>
internal sealed class PixelPool(EngineOptions options, Action wake) : IPixelSource
{
    private const int HeldPerLoad = 4;

    private readonly Dictionary<CacheKey, Entry> _entries = [];
    private readonly Queue<CacheKey> _prefetch = [];
    private readonly Dictionary<Entry, Task> _loads = [];
    private readonly ConcurrentQueue<(CacheKey Key, Entry Entry, float[]? Pixels, Exception? Error)> _finished = [];
    private readonly CancellationTokenSource _stop = new();
    private int _ready;

    public int Count => _entries.Count;

    public bool IsReady(CacheKey image) => _entries.TryGetValue(image, out var entry) && entry.Pixels is not null;

    /// <summary>A request that will need this image exists. Unless its features are there already, its pixels are fetched ahead while there is room.</summary>
    public void Add(CacheKey key, PromptImage image, bool encoded)
    {
        if (!_entries.TryGetValue(key, out var entry))
        {
            entry = new Entry(image);
            _entries.Add(key, entry);
            if (!encoded)
            {
                _prefetch.Enqueue(key);
            }
        }

        entry.Users++;
    }

    /// <summary>A request that needed this image is over.</summary>
    public void Remove(CacheKey key)
    {
        var entry = _entries[key];
        if (--entry.Users == 0)
        {
            SetPixels(entry, null);
            _entries.Remove(key);
        }
    }

    /// <summary>What to encode.</summary>
    public ImageWork Work(ImageEncode encode)
    {
        var entry = _entries[encode.Key];
        return new ImageWork(encode.Slot, entry.Image, entry.Pixels ?? throw new InvalidOperationException("An image was to be encoded before its pixels were there."));
    }

    /// <summary>The image was encoded: its pixels are not needed until its features are evicted.</summary>
    public void Encoded(CacheKey key)
    {
        if (_entries.TryGetValue(key, out var entry))
        {
            SetPixels(entry, null);
        }
    }

    /// <summary>Starts loads: what the scheduler wants first, then what is fetched ahead.</summary>
    public void Start(IReadOnlyList<CacheKey> wanted)
    {
        foreach (var key in wanted)
        {
            TryLoad(key);
        }

        while (HasRoom && _prefetch.TryDequeue(out var key))
        {
            TryLoad(key);
        }
    }

    /// <summary>Takes in finished loads; those that failed are reported.</summary>
    public void Collect(Action<CacheKey, Exception> failed)
    {
        while (_finished.TryDequeue(out var load))
        {
            _loads.Remove(load.Entry);
            if (!_entries.TryGetValue(load.Key, out var current) || current != load.Entry)
            {
                continue;
            }

            SetPixels(load.Entry, load.Pixels);
            if (load.Error is not null)
            {
                failed(load.Key, load.Error);
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

    private bool HasRoom => _loads.Count < options.MaxImageLoads && _ready + _loads.Count < options.MaxImageLoads * HeldPerLoad;

    private void TryLoad(CacheKey key)
    {
        if (HasRoom && _entries.TryGetValue(key, out var entry) && entry is { Pixels: null } && !_loads.ContainsKey(entry))
        {
            _loads.Add(entry, Task.Run(() => LoadAsync(key, entry)));
        }
    }

    private async Task LoadAsync(CacheKey key, Entry entry)
    {
        try
        {
            var pixels = await entry.Image.LoadPixels(_stop.Token).ConfigureAwait(false);
            _finished.Enqueue((key, entry, pixels, null));
        }
        catch (Exception exception)
        {
            // Whatever a loader throws fails the requests that need the image, nothing else.
            _finished.Enqueue((key, entry, null, exception));
        }

        wake();
    }

    private void SetPixels(Entry entry, float[]? pixels)
    {
        _ready += (pixels is null ? 0 : 1) - (entry.Pixels is null ? 0 : 1);
        entry.Pixels = pixels;
    }

    private sealed class Entry(PromptImage image)
    {
        public PromptImage Image => image;

        public int Users { get; set; }

        public float[]? Pixels { get; set; }
    }
}
