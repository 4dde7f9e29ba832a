namespace LlavaCluster.Engine;

/// <summary>What readiness should say.</summary>
public enum EngineHealth
{
    Ready,

    /// <summary>A step has not begun or ended within <see cref="EngineOptions.StepTimeout"/>; Ready again once it ends.</summary>
    Hung,

    /// <summary>The device fails every request; only a restart helps.</summary>
    Faulted,

    /// <summary>Shutting down or disposed.</summary>
    Stopped,
}
