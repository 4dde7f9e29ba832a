namespace LlavaCluster.Cluster.Tests.Support;

/// <summary><c>llava serve</c> as a newcomer starts it: with the model of this repository.</summary>
public sealed class ShippedModel : ServedModel
{
    private protected override string[] Arguments => [];
}
