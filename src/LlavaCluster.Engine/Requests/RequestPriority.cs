namespace LlavaCluster.Engine;

/// <summary>Strictly ordered classes: nothing of a lower class is admitted while something of a higher one could be. Waiting promotes (<see cref="EngineOptions.PriorityAging"/>), so none starves.</summary>
public enum RequestPriority
{
    /// <summary>A person is looking at the cursor.</summary>
    Interactive,

    /// <summary>A program waits.</summary>
    Normal,

    /// <summary>Evaluation, labelling: whenever there is room.</summary>
    Background,
}
