using System.Collections.Concurrent;
using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Objectives;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Replicas;

/// <summary>The thread of one replica: libtorch keeps a pool of its own for every thread that calls it, so a replica always runs on the same one.</summary>
internal sealed class ReplicaThread<TBatch> : IDisposable
{
    private readonly BlockingCollection<(TBatch Batch, double Scale, TaskCompletionSource<double> Done)> _work = new(1);
    private readonly Thread _thread;

    public ReplicaThread(IObjective<TBatch> objective)
    {
        var threads = get_num_threads();
        _thread = new Thread(() => Run(objective, threads)) { IsBackground = true, Name = "training replica" };
        _thread.Start();
    }

    public Task<double> StartAsync(TBatch batch, double scale)
    {
        var done = new TaskCompletionSource<double>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add((batch, scale, done));
        return done.Task;
    }

    /// <summary>Adds the gradient of scale times the batch's summed loss; returns that product.</summary>
    public static double Backward(IObjective<TBatch> objective, TBatch batch, double scale)
    {
        using var scope = NewDisposeScope();
        var loss = objective.Loss(batch).Times(scale);
        loss.backward();
        return loss.item<float>();
    }

    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        _work.Dispose();
    }

    private void Run(IObjective<TBatch> objective, int threads)
    {
        set_num_threads(threads);
        foreach (var (batch, scale, done) in _work.GetConsumingEnumerable())
        {
            try
            {
                done.SetResult(Backward(objective, batch, scale));
            }
            catch (Exception exception)
            {
                done.SetException(exception); // the trainer's thread rethrows it
            }
        }
    }
}
