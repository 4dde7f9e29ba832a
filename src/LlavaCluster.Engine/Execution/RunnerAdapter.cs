using LlavaCluster.Model;
using LlavaCluster.Model.Adapters;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Weights;
using static TorchSharp.torch;

namespace LlavaCluster.Engine.Execution;

/// <summary>An adapter in the two forms that compute: the decoder's, and libtorch's for tower and projector. Owns them, and the weights until they are not needed.</summary>
internal sealed class RunnerAdapter : IPreparedAdapter
{
    private LoraWeights? _weights;

    /// <summary>Prepares what needs no device. Any thread.</summary>
    /// <param name="weights">Its own from now on.</param>
    public RunnerAdapter(LoraWeights weights, LlavaNetwork network, IPagedDecoder decoder)
    {
        _weights = weights;
        ChangesFeatures = weights.ChangesFeatures;
        var elementSize = network.Dtype == ScalarType.Float32 ? sizeof(float) : sizeof(short);
        Decoder = decoder.AdaptsAnywhere ? decoder.Adapt(weights) : null;
        Bytes = weights.FeatureBytes(elementSize) + (Decoder?.Bytes ?? weights.LanguageBytes(elementSize));
    }

    public long Bytes { get; }

    public bool ChangesFeatures { get; }

    /// <summary>For rows of a step; there once it is complete.</summary>
    public IDecoderAdapter? Decoder { get; private set; }

    /// <summary>For pictures; null where it leaves them as they are.</summary>
    public LoraAdapter? Features { get; private set; }

    /// <summary>The rest. On the device's thread.</summary>
    public void Complete(LlavaNetwork network, IPagedDecoder decoder)
    {
        Decoder ??= decoder.Adapt(_weights!);
        Features = ChangesFeatures ? new LoraAdapter(_weights!, network.Dtype, network.Device, LoraWeights.IsOfFeatures) : null;
        FreeWeights();
    }

    public void Dispose()
    {
        FreeWeights();
        Decoder?.Dispose();
        Features?.Dispose();
    }

    private void FreeWeights()
    {
        _weights?.Dispose();
        _weights = null;
    }
}
