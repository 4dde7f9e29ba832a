namespace LlavaCluster.Training.Scenes;

/// <summary>An emoji artist's set: which npm package ships it and where its pictures lie in it. Licences: docs/scenes-artwork.md.</summary>
/// <param name="Name">Short name, used in options and reports.</param>
/// <param name="Package">The npm package, pinned.</param>
/// <param name="Folder">The pictures' folder inside the package.</param>
/// <param name="Extension">With the dot: ".png", ".webp".</param>
/// <param name="Licence">Of the artwork, as an SPDX id.</param>
public sealed record SceneArtist(string Name, NpmPackage Package, string Folder, string Extension, string Licence)
{
    public static SceneArtist Noto { get; } = new(
        "noto",
        new("emoji-datasource-google", "16.0.0", "sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A=="),
        "img/google/64", ".png", "Apache-2.0");

    public static SceneArtist Twemoji { get; } = new(
        "twemoji",
        new("emoji-datasource-twitter", "16.0.0", "sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ=="),
        "img/twitter/64", ".png", "CC-BY-4.0");

    public static SceneArtist Fluent { get; } = new(
        "fluent",
        new("@lobehub/fluent-emoji-3d", "1.1.0", "sha512-Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="),
        "assets", ".webp", "MIT");

    public static SceneArtist EmojiOne { get; } = new(
        "emojione",
        new("emojione", "2.2.7", "sha512-Gbf8qysc34+TFUS5HPwOUY62v8gjLuPmfVTWUR/zirULSYUe/D3MrvYo0W5Y2gScF1YI7EBe5t81IbD8q144Ag=="),
        "assets/png", ".png", "CC-BY-4.0");

    /// <summary>Drawn from in training and in the ordinary evaluation.</summary>
    public static IReadOnlyList<SceneArtist> Training { get; } = [Noto, Twemoji, Fluent];

    /// <summary>Never seen in training: what the model makes of another hand's drawings.</summary>
    public static IReadOnlyList<SceneArtist> HeldOut { get; } = [EmojiOne];
}
