using LlavaCluster.Abstractions.Workers;

namespace LlavaCluster.Worker.Serving;

/// <summary>A served model as its adapters' trainer must know it: an adapter that learns in another prompt format than it is asked in is of no use.</summary>
internal sealed record TrainableModel(ModelCard Card, string Template);
