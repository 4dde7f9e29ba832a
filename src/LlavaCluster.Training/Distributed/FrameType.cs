namespace LlavaCluster.Training.Distributed;

/// <summary>The call that a frame belongs to.</summary>
internal enum FrameType
{
    Sum = 1,
    State = 3,
    Numbers = 4,
    Barrier = 5,

    /// <summary>The last of its connection: the member has disposed its group.</summary>
    Leave = 6,
}
