namespace LlavaCluster.Model.Kernels.Decoding;

/// <summary>A LoRA adapter of the language model as one decoder has made it (<see cref="IPagedDecoder.Adapt"/>); of use to that decoder alone.</summary>
public interface IDecoderAdapter : IDisposable
{
    /// <summary>Memory that it takes.</summary>
    long Bytes { get; }
}
