namespace LlavaCluster.Training.Scenes;

/// <summary>One ninth of a picture.</summary>
/// <param name="Column">-1 left, 0 middle, 1 right.</param>
/// <param name="Row">-1 top, 0 middle, 1 bottom.</param>
public readonly record struct ScenePlace(int Column, int Row)
{
    /// <summary>"top left", "left", "centre", ...</summary>
    public string Name => (Row, Column) switch
    {
        (-1, -1) => "top left",
        (-1, 0) => "top",
        (-1, 1) => "top right",
        (0, -1) => "left",
        (0, 1) => "right",
        (1, -1) => "bottom left",
        (1, 0) => "bottom",
        (1, 1) => "bottom right",
        _ => "center",
    };

    /// <summary>"at the top left", "in the center".</summary>
    public string Phrase() => this == default ? "in the center" : Row == 0 ? $"on the {Name}" : $"at the {Name}";
}
