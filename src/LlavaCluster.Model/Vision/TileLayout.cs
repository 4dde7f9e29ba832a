namespace LlavaCluster.Model.Vision;

/// <summary>
/// How an image's tiles become its features. LLaVA-1.5: no grid, the one tile's features as they are. LLaVA-NeXT: the overview tile's features, then the grid's
/// tiles as one map, of which rows [Top, Bottom) and columns [Left, Right) are kept (the rest is padding), each row followed by the newline feature.
/// Map coordinates are features, not pixels.
/// </summary>
public readonly record struct TileLayout(int GridRows, int GridColumns, int Top, int Bottom, int Left, int Right)
{
    /// <summary>One tile, no grid.</summary>
    public static TileLayout Single { get; }

    public bool IsGrid => GridRows > 0;

    /// <summary>Tiles of the image, the overview included.</summary>
    public int Tiles => 1 + (GridRows * GridColumns);

    /// <summary>Features of the image when one tile gives <paramref name="tokensPerTile"/>.</summary>
    public int Tokens(int tokensPerTile) => tokensPerTile + ((Bottom - Top) * (Right - Left + 1));
}
