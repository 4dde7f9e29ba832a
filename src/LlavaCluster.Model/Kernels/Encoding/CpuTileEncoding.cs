using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Vision;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>Tiles between two blocks, and what has been selected of their states so far. Its encoder must outlive it.</summary>
internal sealed unsafe class CpuTileEncoding<TElement, T> : ITileEncoding
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private readonly CpuTileEncoder<TElement, T> _encoder;
    private readonly TileProjector<TElement, T> _projector;
    private readonly LlavaNetwork _network;
    private readonly LlavaConfig _config;
    private readonly LoraAdapter? _adapter;
    private readonly NativeBuffer<float> _hidden; // [tiles, 1 + patches, hidden]
    private readonly NativeBuffer<float> _features; // [tiles, tokensPerTile, hidden * layers]
    private readonly int _tiles;
    private int _blocks;

    /// <param name="adapter">Changes the projector; null for the base's.</param>
    /// <param name="pixels">[tiles, 3, S, S], normalised, in float32.</param>
    public CpuTileEncoding(CpuTileEncoder<TElement, T> encoder, TileProjector<TElement, T> projector, LlavaNetwork network, LoraAdapter? adapter, Tensor pixels)
    {
        (_encoder, _projector, _network, _config, _adapter, _tiles) = (encoder, projector, network, network.Config, adapter, (int)pixels.shape[0]);
        _hidden = new NativeBuffer<float>((long)_tiles * TileRows * Hidden);
        _features = new NativeBuffer<float>((long)_tiles * _config.TokensPerTile * FeatureWidth);
        using var lined = pixels.contiguous();
        for (var tile = 0; tile < _tiles; tile++)
        {
            encoder.Embed((float*)TensorMemory.Address(lined) + ((nint)tile * 3 * _config.Vision.ImageSize * _config.Vision.ImageSize), _hidden.Pointer + ((nint)tile * TileRows * Hidden));
        }

        Select();
    }

    public void Advance(int stages)
    {
        for (var end = Math.Min(_blocks + stages, _config.FeatureLayers.Max()); _blocks < end; _blocks++, Select())
        {
            for (var tile = 0; tile < _tiles; tile++)
            {
                _encoder.Block(_blocks, _hidden.Pointer + ((nint)tile * TileRows * Hidden));
            }
        }
    }

    public Tensor Finish()
    {
        if (_adapter is not null)
        {
            var features = empty(_tiles, _config.TokensPerTile, FeatureWidth, ScalarType.Float32);
            new ReadOnlySpan<float>(_features.Pointer, checked((int)_features.Count)).CopyTo(new Span<float>(TensorMemory.Address(features), checked((int)_features.Count)));
            return _network.Project(features, AdapterBatch.Whole(_adapter));
        }

        var projected = empty(_tiles, _config.TokensPerTile, _config.Text.Hidden, typeof(T) == typeof(float) ? ScalarType.Float32 : ScalarType.BFloat16);
        for (var tile = 0; tile < _tiles; tile++)
        {
            _projector.Project(_features.Pointer + ((nint)tile * _config.TokensPerTile * FeatureWidth), (T*)TensorMemory.Address(projected) + ((nint)tile * _config.TokensPerTile * _config.Text.Hidden));
        }

        return projected;
    }

    public void Dispose()
    {
        _hidden.Dispose();
        _features.Dispose();
    }

    private int Hidden => _config.Vision.Hidden;

    private int TileRows => 1 + (_config.Vision.Grid * _config.Vision.Grid);

    private int FeatureWidth => Hidden * _config.FeatureLayers.Count;

    private void Select()
    {
        var skipped = TileRows - _config.TokensPerTile; // the class token
        for (var layer = 0; layer < _config.FeatureLayers.Count; layer++)
        {
            for (var row = 0; row < _tiles * _config.TokensPerTile && _config.FeatureLayers[layer] == _blocks; row++)
            {
                var from = ((row / _config.TokensPerTile) * TileRows) + skipped + (row % _config.TokensPerTile);
                var target = new Span<float>(_features.Pointer + ((nint)row * FeatureWidth) + (layer * Hidden), Hidden);
                new ReadOnlySpan<float>(_hidden.Pointer + ((nint)from * Hidden), Hidden).CopyTo(target);
            }
        }
    }
}
