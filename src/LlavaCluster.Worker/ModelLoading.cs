using LlavaCluster.Engine.Execution;
using LlavaCluster.Worker.Serving;

namespace LlavaCluster.Worker;

/// <summary>
/// A model on its way into memory from the moment this is made: to read it takes as long as to build a host, and neither needs the other. Owns the device's thread and the model, and is
/// owned by the engine that takes it. Members may be called from any thread.
/// </summary>
public sealed class ModelLoading : IAsyncDisposable
{
    private readonly TimeProvider _time;
    private readonly long _began;

    public ModelLoading(WorkerOptions options, TimeProvider time)
    {
        (Options, _time, _began) = (options, time, time.GetTimestamp());
        Device = new DeviceThread("llava device");
        Model = Device.RunAsync(() =>
        {
            TorchSharp.torch.set_num_threads(options.Threads);
            return ServedModel.Load(options, time.GetUtcNow());
        });
    }

    public WorkerOptions Options { get; }

    internal DeviceThread Device { get; }

    /// <summary>Fails as <see cref="ServedModel.Load"/> does.</summary>
    internal Task<ServedModel> Model { get; }

    /// <summary>Since the loading began.</summary>
    internal TimeSpan Elapsed => _time.GetElapsedTime(_began);

    /// <summary>Waits for the loading and frees the model. Nothing may use it any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAny(Model);
        if (Model.IsCompletedSuccessfully)
        {
            var model = await Model;
            await Device.RunAsync(model.Dispose);
        }

        await Device.DisposeAsync();
    }
}
