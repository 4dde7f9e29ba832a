using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>
/// What the adapters of a step add to a decoder's products: the first product of each in tasks that the team shares, the second by whoever computes the projection's own, chunk by chunk.
/// Rows without an adapter are not touched. Allocates nothing once it has seen a step of the size. One thread, but for what says otherwise.
/// </summary>
internal sealed unsafe class AdapterProducts : IDisposable
{
    private const int PartRows = 48;

    private readonly KernelTeam _team;
    private readonly WeightFormat _format;
    private readonly int[] _rowBytes; // by product
    private readonly KernelAdapter?[] _adapters; // by row
    private readonly List<Part> _parts = [];
    private readonly KernelWork _shrink;
    private NativeBuffer<float> _low = new(0); // [rows, stride]
    private int _stride;
    private byte* _rows;
    private AdaptedProduct _product;

    /// <param name="format">Of the adapters' factors.</param>
    public AdapterProducts(TextConfig text, int mostTokens, WeightFormat format, KernelTeam team)
    {
        (_team, _format) = (team, format);
        _rowBytes = [.. new[] { text.Hidden, text.Heads * text.HeadDim, text.Hidden, text.Intermediate, text.Hidden }.Select(inputs => ProductKernel.For(format, inputs).RowBytes)];
        _adapters = new KernelAdapter?[mostTokens];
        _shrink = Shrink;
    }

    /// <summary>Takes a step's adapters for its layers.</summary>
    /// <exception cref="ArgumentException">One was made by another decoder, or its rows are not the step's or another's too.</exception>
    public void Plan(List<AdapterRows> adapters, int tokens)
    {
        Array.Clear(_adapters);
        _parts.Clear();
        var (end, widest) = (0, 0);
        foreach (var (made, row, count) in adapters)
        {
            var adapter = made is KernelAdapter ours && ours.Format == _format ? ours : throw new ArgumentException($"An adapter must be made by the decoder of the step; was a {made.GetType().Name}.", nameof(adapters));
            if (row < end || count < 1 || row + count > tokens)
            {
                throw new ArgumentException($"An adapter's rows must lie behind those before, from {end} on, and end at {tokens} at most; were {row} to {row + count - 1}.", nameof(adapters));
            }

            AddParts(adapter, row, count);
            Array.Fill(_adapters, adapter, row, count);
            (end, widest) = (row + count, Math.Max(widest, adapter.Widest));
        }

        if (widest > _stride)
        {
            _low.Dispose();
            (_stride, _low) = (widest, new NativeBuffer<float>((long)_adapters.Length * widest));
        }
    }

    /// <summary>Takes the adapters of rows that are scored: from now on row i is that.</summary>
    public void PlanScored(List<long> rows)
    {
        if (_parts.Count == 0)
        {
            return;
        }

        _parts.Clear();
        for (int i = 0, end; i < rows.Count; i = end)
        {
            var adapter = _adapters[(int)rows[i]];
            for (end = i + 1; end < rows.Count && _adapters[(int)rows[end]] == adapter;)
            {
                end++;
            }

            if (adapter is { HasHead: true })
            {
                AddParts(adapter, i, end - i);
            }
        }
    }

    /// <summary>The first products.</summary>
    /// <param name="rows">As the base's product reads them.</param>
    public void Begin(int layer, AdaptedProduct product, byte* rows)
    {
        if (_parts.Count == 0)
        {
            return;
        }

        var pieces = 0;
        for (var i = 0; i < _parts.Count; i++)
        {
            var low = _parts[i].Adapter.Of(layer, product);
            pieces = Math.Max(pieces, low?.Pieces ?? 0);
            _parts[i] = _parts[i] with { Product = low };
        }

        _product = product;
        _rows = rows;
        _team.Run(pieces * _parts.Count, _shrink);
    }

    /// <summary>Adds the second products of one projection for some of its outputs. Any thread.</summary>
    /// <param name="member">Which of those that read the same rows.</param>
    /// <param name="first">A multiple of 32.</param>
    /// <param name="y">[rows, stride]: output <paramref name="first"/> of row 0.</param>
    public void Add(int member, int first, int count, float* y, nint stride)
    {
        for (var i = 0; i < _parts.Count; i++)
        {
            var part = _parts[i];
            part.Product?.Expand(member, first, count, _low.Pointer + ((nint)part.Row * _stride), _stride, part.Count, y + (part.Row * stride), stride);
        }
    }

    /// <summary>As the other, with the outputs of one chunk of a matrix.</summary>
    /// <param name="y">[rows, stride]: output 0 of row 0.</param>
    public void Add(int member, in Matrix matrix, int chunk, float* y, nint stride)
    {
        var (first, count) = matrix.Chunk(chunk);
        Add(member, first, count, y + first, stride);
    }

    public void Dispose() => _low.Dispose();

    private void AddParts(KernelAdapter adapter, int row, int count)
    {
        for (var first = 0; first < count; first += PartRows)
        {
            _parts.Add(new Part(adapter, row + first, Math.Min(PartRows, count - first), null));
        }
    }

    private void Shrink(int chunk, int thread)
    {
        // The pieces that all have come first, so that the threads end at about the same time.
        var (piece, index) = Math.DivRem(chunk, _parts.Count);
        var part = _parts[index];
        if (part.Product is not { } product || piece >= product.Pieces)
        {
            return;
        }

        product.Shrink(piece, _rows + ((nint)part.Row * _rowBytes[(int)_product]), part.Count, _low.Pointer + ((nint)part.Row * _stride), _stride);
    }

    /// <param name="Product">What it adds to the projections under way; null for nothing.</param>
    private readonly record struct Part(KernelAdapter Adapter, int Row, int Count, LowRank? Product);
}
