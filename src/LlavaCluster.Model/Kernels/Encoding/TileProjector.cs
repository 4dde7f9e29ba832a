using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Products;
using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>The projector over one tile: its linear layers with an activation between each two.</summary>
internal sealed unsafe class TileProjector<TElement, T> : IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int RowsPerChunk = 8;

    private readonly IReadOnlyList<Linear> _layers;
    private readonly Activation _activation;
    private readonly KernelTeam _team;
    private readonly NativeBuffer<float> _outputs;
    private readonly NativeBuffer<byte> _rows;
    private readonly KernelWork _store, _apply;
    private readonly int _tokens, _width;

    private Linear _layer;
    private float* _inputs;
    private bool _isFirst;

    public TileProjector(LlavaConfig config, IReadOnlyList<Linear> layers, KernelTeam team)
    {
        (_layers, _activation, _team, _tokens, _width) = (layers, config.Projector.Activation, team, config.TokensPerTile, config.Text.Hidden);
        _outputs = new NativeBuffer<float>((long)_tokens * _width);
        _rows = new NativeBuffer<byte>(_tokens * layers.Select(layer => (long)layer.Matrix.Kernel.RowBytes).DefaultIfEmpty().Max());
        (_store, _apply) = (Store, Apply);
    }

    /// <param name="features">[tokens, vision hidden * layers]</param>
    /// <param name="projected">[tokens, text hidden]</param>
    public void Project(float* features, T* projected)
    {
        _inputs = features;
        _isFirst = true;
        foreach (var layer in _layers)
        {
            _layer = layer;
            _team.Run((_tokens + RowsPerChunk - 1) / RowsPerChunk, _store);
            _team.Run(layer.Matrix.Chunks, _apply);
            _inputs = _outputs.Pointer;
            _isFirst = false;
        }

        for (var row = 0; row < _tokens; row++)
        {
            RowKernels.Store<TElement, T>(_inputs + ((nint)row * _width), projected + ((nint)row * _width), _width);
        }
    }

    public void Dispose()
    {
        _outputs.Dispose();
        _rows.Dispose();
    }

    private void Store(int chunk, int thread)
    {
        var kernel = _layer.Matrix.Kernel;
        for (var row = chunk * RowsPerChunk; row < Math.Min(_tokens, (chunk + 1) * RowsPerChunk); row++)
        {
            var input = _inputs + ((nint)row * kernel.Inputs);
            if (!_isFirst)
            {
                ActivationKernels.Apply(_activation, input, null, kernel.Inputs);
            }

            kernel.Store(input, _rows.Pointer + ((nint)row * kernel.RowBytes), 0, kernel.Inputs);
        }
    }

    private void Apply(int chunk, int thread) => _layer.Apply(chunk, _rows.Pointer, _tokens, _outputs.Pointer, add: false);
}
