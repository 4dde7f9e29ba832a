using LlavaCluster.Model.Config;
using LlavaCluster.Model.Kernels.Threading;

namespace LlavaCluster.Model.Kernels.Encoding;

/// <summary>
/// Pixels of a tile to hidden state 0: the convolution whose stride is its size as the matrix product it is, the class embedding in front, positions added, and the norm before the blocks. In
/// three loops that the team shares.
/// </summary>
internal sealed unsafe class TilePatches<TElement, T> : IDisposable
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    private const int RowsPerChunk = 8;

    private readonly VisionConfig _vision;
    private readonly PatchWeights _weights;
    private readonly KernelTeam _team;
    private readonly NativeBuffer<float>[] _patch; // [threads], one patch each
    private readonly NativeBuffer<byte> _rows;
    private readonly KernelWork _gather, _multiply, _finish;

    private float* _pixels, _hidden;

    public TilePatches(VisionConfig vision, PatchWeights weights, KernelTeam team)
    {
        (_vision, _weights, _team) = (vision, weights, team);
        var kernel = weights.Kernel.Kernel;
        _rows = new NativeBuffer<byte>((long)Patches * kernel.RowBytes);
        _patch = [.. Enumerable.Range(0, team.Threads).Select(_ => new NativeBuffer<float>(kernel.Inputs))];
        Array.ForEach(_patch, patch => new Span<float>(patch.Pointer, kernel.Inputs).Clear()); // what is behind a patch stays 0
        (_gather, _multiply, _finish) = (Gather, Multiply, Finish);
    }

    private int Patches => _vision.Grid * _vision.Grid;

    /// <param name="pixels">[3, S, S], normalised.</param>
    /// <param name="hidden">[1 + patches, hidden]</param>
    public void Embed(float* pixels, float* hidden)
    {
        _pixels = pixels;
        _hidden = hidden;
        _team.Run((Patches + RowsPerChunk - 1) / RowsPerChunk, _gather);
        _team.Run(_weights.Kernel.Chunks, _multiply);
        _team.Run((1 + Patches + RowsPerChunk - 1) / RowsPerChunk, _finish);
    }

    public void Dispose()
    {
        _rows.Dispose();
        Array.ForEach(_patch, patch => patch.Dispose());
    }

    // A patch's inputs in the order of its kernel: channel, line, column.
    private void Gather(int chunk, int thread)
    {
        var (size, side, kernel) = (_vision.ImageSize, _vision.PatchSize, _weights.Kernel.Kernel);
        for (var patch = chunk * RowsPerChunk; patch < Math.Min(Patches, (chunk + 1) * RowsPerChunk); patch++)
        {
            var corner = _pixels + ((nint)(patch / _vision.Grid) * side * size) + ((patch % _vision.Grid) * side);
            for (var line = 0; line < 3 * side; line++)
            {
                var from = corner + ((nint)(line / side) * size * size) + ((nint)(line % side) * size);
                new ReadOnlySpan<float>(from, side).CopyTo(new Span<float>(_patch[thread].Pointer + (line * side), side));
            }

            kernel.Store(_patch[thread].Pointer, _rows.Pointer + ((nint)patch * kernel.RowBytes), 0, kernel.Inputs);
        }
    }

    private void Multiply(int chunk, int thread) => _weights.Kernel.Multiply(chunk, _rows.Pointer, Patches, _hidden + _vision.Hidden, _vision.Hidden, add: false);

    private void Finish(int chunk, int thread)
    {
        for (var row = chunk * RowsPerChunk; row < Math.Min(1 + Patches, (chunk + 1) * RowsPerChunk); row++)
        {
            var state = _hidden + ((nint)row * _vision.Hidden);
            if (row == 0)
            {
                new ReadOnlySpan<float>((float*)_weights.Class, _vision.Hidden).CopyTo(new Span<float>(state, _vision.Hidden));
            }

            RowKernels.Add(state, (float*)_weights.Positions + ((nint)row * _vision.Hidden), _vision.Hidden);
            RowKernels.LayerNorm(state, (float*)_weights.Norm.Weight, (float*)_weights.Norm.Bias, state, _vision.Hidden, (float)_vision.LayerNormEpsilon);
        }
    }
}
