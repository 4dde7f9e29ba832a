using System.Collections.Concurrent;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Grains.Tests.Support;

/// <summary>The engines and trainers of a test's silo by their workers' keys.</summary>
internal sealed class ScriptedDevices
{
    private readonly ConcurrentDictionary<string, ScriptedEngineHost> _engines = [];

    private readonly ConcurrentDictionary<string, ScriptedTrainer> _trainers = [];

    public ScriptedTrainer Trainer(string worker) => _trainers[worker];

    public void Add(ScriptedTrainer trainer) => _trainers[trainer.Key.ToString()] = trainer;

    public ScriptedEngineHost Engine(string worker) => _engines[worker];

    public void Add(WorkerKey worker, ScriptedEngineHost engine) => _engines[worker.ToString()] = engine;
}
