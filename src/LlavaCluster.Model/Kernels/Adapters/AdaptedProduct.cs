namespace LlavaCluster.Model.Kernels.Adapters;

/// <summary>Projections that read the same rows: what an adapter does to them begins with one product.</summary>
internal enum AdaptedProduct
{
    /// <summary>Queries, keys and values.</summary>
    Attention,

    /// <summary>What the heads attended.</summary>
    Output,

    /// <summary>Gate and up.</summary>
    Gate,

    /// <summary>The second product of the MLP.</summary>
    Down,

    /// <summary>Logits.</summary>
    Head,
}
