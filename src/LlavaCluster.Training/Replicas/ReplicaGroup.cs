using LlavaCluster.Model.Layers;
using LlavaCluster.Training.Objectives;
using static TorchSharp.torch;

namespace LlavaCluster.Training.Replicas;

/// <summary>
/// Copies of an objective over one set of weights, a thread each: on a CPU with small networks two threads with half a batch each beat one batch on two threads.
/// Gradients are summed into the first replica's. Owns the replicas and their threads; use from one thread, which runs the first replica.
/// </summary>
public sealed class ReplicaGroup<TBatch> : IDisposable
{
    private readonly IObjective<TBatch>[] _replicas;
    private readonly ReplicaThread<TBatch>[] _helpers;
    private readonly Tensor[][] _trained;

    /// <param name="create">Makes an objective from weights; called once a replica.</param>
    /// <param name="trains">Which parameters learn; the others stay as they are, bit for bit.</param>
    public ReplicaGroup(Func<IWeightSource, IObjective<TBatch>> create, IWeightSource weights, int replicas, Func<string, bool> trains)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(replicas);
        var first = create(weights);
        var shared = first.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value, StringComparer.Ordinal);
        _replicas = [first, .. Enumerable.Range(1, replicas - 1).Select(_ => create(new SharedWeights(shared, weights)))];
        _trained = [.. _replicas.Select(replica => replica.Parameters.Where(parameter => trains(parameter.Name)).Select(parameter => parameter.Value).ToArray())];
        foreach (var parameter in _trained.SelectMany(of => of))
        {
            parameter.requires_grad = true;
        }

        _helpers = [.. _replicas.Skip(1).Select(replica => new ReplicaThread<TBatch>(replica))];
        Trained = [.. first.Parameters.Where(parameter => trains(parameter.Name))];
    }

    public IObjective<TBatch> First => _replicas[0];

    public int Count => _replicas.Length;

    /// <summary>The parameters that learn, of the first replica.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> Trained { get; }

    /// <summary>Adds the gradient of the mean loss over all terms of the batches, one batch a replica, and returns that loss.</summary>
    public double Backward(IReadOnlyList<TBatch> batches)
    {
        if (batches.Count != Count)
        {
            throw new ArgumentException($"There must be {Count} batches, one a replica; there were {batches.Count}.", nameof(batches));
        }

        var terms = batches.Sum(First.Terms);
        var others = _helpers.Select((helper, i) => helper.StartAsync(batches[i + 1], 1.0 / terms)).ToArray();
        var loss = ReplicaThread<TBatch>.Backward(First, batches[0], 1.0 / terms);
        Task.WaitAll(others);
        Gather();
        return loss + others.Sum(other => other.Result);
    }

    public void Dispose()
    {
        foreach (var helper in _helpers)
        {
            helper.Dispose();
        }

        foreach (var replica in _replicas)
        {
            replica.Dispose();
        }
    }

    private void Gather()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var other in _trained.Skip(1))
        {
            for (var i = 0; i < other.Length; i++)
            {
                var gradient = other[i].grad!;
                _trained[0][i].grad!.add_(gradient, Scalars.One);
                gradient.zero_();
            }
        }
    }
}
