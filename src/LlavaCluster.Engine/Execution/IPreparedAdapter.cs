namespace LlavaCluster.Engine.Execution;

/// <summary>An adapter on its way to the device: all is done that needs no device. Whoever holds it disposes it; <see cref="IModelRunner.AddAdapter"/> takes it over.</summary>
internal interface IPreparedAdapter : IDisposable
{
    /// <summary>Memory of the device that it will take.</summary>
    long Bytes { get; }

    /// <summary>Whether pictures have other features with it than with the base.</summary>
    bool ChangesFeatures { get; }
}
