using LlavaCluster.Model.Config;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// An opened checkpoint whose tensors are known to be exactly those of <see cref="TensorPlan"/>, under our names. Nothing is copied: tensors are read-only views of mapped files,
/// so this must live as long as they do. Not for use from several threads.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private readonly IReadOnlyList<ITensorFile> _files;
    private readonly IReadOnlyDictionary<string, CheckpointTensor> _tensors;

    internal Checkpoint(string folder, LlavaConfig config, IReadOnlyList<ITensorFile> files, IReadOnlyDictionary<string, CheckpointTensor> tensors, PackedMatrices? packed)
    {
        Packed = packed;
        Folder = folder;
        Config = config;
        _files = files;
        _tensors = tensors;
    }

    public string Folder { get; }

    public LlavaConfig Config { get; }

    /// <summary>Bytes of all tensors as stored, or as they would be in bfloat16 where they are packed.</summary>
    public long Bytes => _tensors.Values.Sum(tensor => tensor.Info.Shape.Aggregate((long)TensorMemory.ElementSize(tensor.Info.Type), (size, extent) => size * extent));

    /// <summary>The matrices that are stored as kernels read them; null where all are plain numbers.</summary>
    public PackedMatrices? Packed { get; }

    /// <summary>Whether <see cref="Take"/> refuses this name because it is packed.</summary>
    internal bool IsPacked(string name) => _tensors.TryGetValue(name, out var tensor) && tensor.IsPacked;

    /// <summary>The type the language model's matrices are stored in; its norms may have another.</summary>
    public ScalarType StoredType => _tensors["language_model.embed_tokens.weight"].Info.Type;

    /// <summary>The type a tensor is stored in.</summary>
    internal ScalarType TypeOf(string name) => _tensors[name].Info.Type;

    /// <summary>Our names, in no order.</summary>
    public IEnumerable<string> Names => _tensors.Keys;

    /// <summary>False only for tensors that the plan calls optional.</summary>
    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>A view of the tensor in its stored type, on the CPU. The caller disposes it, converts it before changing it, and keeps this checkpoint alive while it is used.</summary>
    /// <param name="name">One of our names, for example <c>language_model.layers.0.self_attn.q_proj.weight</c>.</param>
    /// <exception cref="CheckpointException">The checkpoint has no such tensor, one of another shape, or one that is packed.</exception>
    public Tensor Take(string name, params ReadOnlySpan<long> shape)
    {
        if (!_tensors.TryGetValue(name, out var tensor))
        {
            throw new CheckpointException(Folder, name, "is not in the checkpoint.");
        }

        return shape.SequenceEqual([.. tensor.Info.Shape])
            ? tensor.View()
            : throw new CheckpointException(Folder, name, $"must have shape {TensorInfo.Print(shape.ToArray())}; was {tensor.Info.ShapeText}.");
    }

    /// <summary>Gives the pages that were read back to the system: of one that is read from end to end no more is in memory than is used. What is used again is read again.</summary>
    public void Forget()
    {
        foreach (var file in _files)
        {
            file.Forget();
        }
    }

    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }
}

/// <summary>A tensor, and how to get a view of it.</summary>
/// <param name="View">Makes a tensor that the caller disposes; throws for one that is packed.</param>
/// <param name="IsPacked">Its numbers are there for the kernels alone.</param>
internal sealed record CheckpointTensor(TensorInfo Info, Func<Tensor> View, bool IsPacked = false);
