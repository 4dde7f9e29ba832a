namespace LlavaCluster.Pictures;

/// <summary>What is wrong with a picture's pixel data.</summary>
public enum PixelFault
{
    None,

    /// <summary>There are fewer than the header promises.</summary>
    CutOff,

    /// <summary>They are not coded as the format asks.</summary>
    Damaged,
}
