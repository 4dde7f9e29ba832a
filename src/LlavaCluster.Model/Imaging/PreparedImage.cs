using LlavaCluster.Model.Vision;

namespace LlavaCluster.Model.Imaging;

/// <summary>A picture as the vision tower takes it.</summary>
/// <param name="Pixels">Normalised, [tiles, 3, S, S] flat.</param>
/// <param name="Layout">How its tiles become features.</param>
/// <param name="Tokens">Features it takes in a prompt.</param>
public sealed record PreparedImage(float[] Pixels, TileLayout Layout, int Tokens);
