namespace LlavaCluster.Training.Distributed;

/// <summary>Why a ring ended, as one member saw it.</summary>
public enum RingFault
{
    /// <summary>The peer's connection is gone: it died, or it has seen the break of another. Not by itself the culprit.</summary>
    Closed,

    /// <summary>The peer sent or took nothing for the operation's whole time. Where several members report it, the culprit is the one that reports nothing.</summary>
    Silent,

    /// <summary>A frame of the peer differs from its checksum.</summary>
    Damaged,

    /// <summary>A frame of the peer belongs to another call, place or generation, or is longer than frames may be.</summary>
    Mismatched,

    /// <summary>The peer disposed its group while this member still called.</summary>
    Left,

    /// <summary>This member was told to stop, or its own stream failed.</summary>
    Aborted,

    /// <summary>The peer did not join in time.</summary>
    Unformed,
}
