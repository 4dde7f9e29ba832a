using LlavaCluster.Engine.Adapters;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Scheduling;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Engine.Execution;

/// <summary>Executes what the scheduler planned. The real one owns tensors on a device; the tests' one is plain arithmetic. Called on the device thread only.</summary>
internal interface IModelRunner : IDisposable
{
    /// <summary>Frees the features in these slots.</summary>
    void DropImages(IReadOnlyList<int> slots);

    /// <summary>Encodes images as one batch and stores each one's features in its slot. May be repeated after a failure.</summary>
    void Encode(IReadOnlyList<ImageWork> images);

    /// <summary>Stages of an image's encoding; at least 1.</summary>
    int EncodingStages { get; }

    /// <summary>
    /// Goes on with an image by count stages from first on; the last one stores its features. The first stage forgets any other image that was not encoded to its end, as does
    /// dropping its slot. What threw is not gone on with.
    /// </summary>
    void EncodePart(ImageWork image, int first, int count);

    /// <summary>
    /// Computes the rows as one packed batch, guesses included, writing their keys and values. For every row that <see cref="StepRow.Samples"/>, in order, its last known position and its
    /// guesses are written: where it is picked (<see cref="Picks"/>) an id each to <paramref name="picks"/>, or one of PickedRow's numbers, else logits to <paramref name="logits"/>,
    /// vocabulary floats each. May be repeated after a failure, with fewer rows.
    /// </summary>
    void Forward(ReadOnlySpan<StepRow> rows, Span<float> logits, Span<int> picks);

    /// <summary>Whether it picks the next tokens of sequences whose <see cref="Sequence.Draw"/> is another than <see cref="DrawKind.Sampler"/>, where logits are far from the host.</summary>
    bool Picks { get; }

    /// <summary>Does what an adapter needs before it can be added, which takes as long as its copy. Any thread, beside whatever the device does.</summary>
    /// <param name="weights">The runner's from now on, whatever comes of it.</param>
    IPreparedAdapter PrepareAdapter(LoraWeights weights);

    /// <summary>Puts an adapter into a free slot, from where sequences and images use it.</summary>
    /// <param name="adapter">The runner's from now on, unless this throws.</param>
    void AddAdapter(int slot, IPreparedAdapter adapter);

    /// <summary>Frees an adapter that no sequence and no image uses.</summary>
    void DropAdapter(int slot);

    /// <summary>Computes something small that concerns no request; throws where the device is lost.</summary>
    void Probe();
}

/// <summary>An image to encode: its description, its normalised pixels [tiles, 3, size, size], and where its features go.</summary>
/// <param name="Adapter">Slot of the adapter that changes how it is encoded.</param>
internal readonly record struct ImageWork(int Slot, PromptImage Image, float[] Pixels, int Adapter = AdapterPin.None);
