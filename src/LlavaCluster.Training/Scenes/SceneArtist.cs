namespace LlavaCluster.Training.Scenes;

/// <summary>An emoji artist's set: which npm package ships it and where its pictures lie in it. Licences: docs/scenes-artwork.md.</summary>
/// <param name="Name">Short name, used in options and reports.</param>
/// <param name="Package">The npm package, pinned.</param>
/// <param name="Pictures">How they lie in it.</param>
/// <param name="Licence">Of the artwork, as an SPDX id.</param>
public sealed record SceneArtist(string Name, NpmPackage Package, IArtworkSource Pictures, string Licence)
{
    public static SceneArtist Noto { get; } = new(
        "noto",
        new("emoji-datasource-google", "16.0.0", "sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A=="),
        new PictureFiles("img/google/64", ".png"), "Apache-2.0");

    public static SceneArtist Twemoji { get; } = new(
        "twemoji",
        new("emoji-datasource-twitter", "16.0.0", "sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ=="),
        new PictureFiles("img/twitter/64", ".png"), "CC-BY-4.0");

    public static SceneArtist Fluent { get; } = new(
        "fluent",
        new("@lobehub/fluent-emoji-3d", "1.1.0", "sha512-Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=="),
        new PictureFiles("assets", ".webp"), "MIT");

    public static SceneArtist EmojiOne { get; } = new(
        "emojione",
        new("emojione", "2.2.7", "sha512-Gbf8qysc34+TFUS5HPwOUY62v8gjLuPmfVTWUR/zirULSYUe/D3MrvYo0W5Y2gScF1YI7EBe5t81IbD8q144Ag=="),
        new PictureFiles("assets/png", ".png"), "CC-BY-4.0");

    /// <summary>Google's emoji of 2013 to 2017, the blobs: another hand than <see cref="Noto"/>.</summary>
    public static SceneArtist Blob { get; } = new(
        "blob",
        new("@iconify-json/noto-v1", "1.2.5", "sha512-/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA=="),
        new VectorIcons(IconNames.AsCldr), "Apache-2.0");

    public static SceneArtist Flat { get; } = new(
        "flat",
        new("@iconify-json/fluent-emoji-flat", "1.2.6", "sha512-RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw=="),
        new VectorIcons(IconNames.AsCldr), "MIT");

    public static SceneArtist Firefox { get; } = new(
        "firefox",
        new("@iconify-json/fxemoji", "1.2.2", "sha512-UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ=="),
        new VectorIcons(IconNames.Firefox), "Apache-2.0");

    public static SceneArtist Streamline { get; } = new(
        "streamline",
        new("@iconify-json/streamline-emojis", "1.2.4", "sha512-iNr9T9XuZVTyQPJO8ZlLxBzPkpi7qMl+z1l0C31vpEMqhPMelth3n7CeWQYtixdetDPdI81yeG4ROqjWpYJE6A=="),
        new VectorIcons(IconNames.Streamline), "CC-BY-4.0");

    /// <summary>Drawn from in training and in the ordinary evaluation.</summary>
    public static IReadOnlyList<SceneArtist> Training { get; } = [Noto, Twemoji, Fluent, Blob, Flat, Firefox, Streamline];

    /// <summary>Never seen in training: what the model makes of another hand's drawings.</summary>
    public static IReadOnlyList<SceneArtist> HeldOut { get; } = [EmojiOne];

    /// <summary>Every artist whose drawings are used, by name.</summary>
    public static IReadOnlyDictionary<string, SceneArtist> All { get; } = Training.Concat(HeldOut).ToDictionary(artist => artist.Name);
}
