namespace LlavaCluster.Engine.Scheduling;

internal enum SequenceState
{
    /// <summary>Not known to the scheduler (any more); holds nothing.</summary>
    Detached,

    /// <summary>Queued; holds nothing.</summary>
    Waiting,

    /// <summary>Holds KV blocks and catches up, step by step.</summary>
    Running,
}
