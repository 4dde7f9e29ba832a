using LlavaCluster.Model.Config;

namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>Cosines and sines of the rotary embedding for every position, half a head each; equal to the network's own table within rounding.</summary>
internal sealed unsafe class RotaryAngles : IDisposable
{
    private readonly int _half;
    private readonly NativeBuffer<float> _cosines;
    private readonly NativeBuffer<float> _sines;

    public RotaryAngles(TextConfig text)
    {
        _half = text.HeadDim / 2;
        _cosines = new NativeBuffer<float>((long)text.MaxPositions * _half);
        _sines = new NativeBuffer<float>((long)text.MaxPositions * _half);
        for (var i = 0; i < _half; i++)
        {
            var frequency = 1 / MathF.Pow((float)text.RopeTheta, 2f * i / text.HeadDim);
            for (var position = 0; position < text.MaxPositions; position++)
            {
                var angle = (double)(float)((position / (float)text.RopeLinearFactor) * frequency);
                _cosines.Pointer[((long)position * _half) + i] = (float)Math.Cos(angle);
                _sines.Pointer[((long)position * _half) + i] = (float)Math.Sin(angle);
            }
        }
    }

    public float* Cosines(long position) => _cosines.Pointer + (position * _half);

    public float* Sines(long position) => _sines.Pointer + (position * _half);

    public void Dispose()
    {
        _cosines.Dispose();
        _sines.Dispose();
    }
}
