using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;

namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Fetches the artwork by the ordinary npm client and keeps it unpacked in a cache folder, which later calls use without a network.
/// Every archive is checked against its pinned integrity before anything in it is read. Knows nothing of scenes.
/// </summary>
/// <param name="cacheFolder">Made when missing; <see cref="DefaultCacheFolder"/> when null.</param>
public sealed class ScenePackages(string? cacheFolder = null)
{
    private const string ArchiveRoot = "package/";
    private readonly string _cache = cacheFolder ?? DefaultCacheFolder;

    /// <summary>XDG_CACHE_HOME or the platform's per-user folder, plus llava-cluster/npm.</summary>
    public static string DefaultCacheFolder
    {
        get
        {
            var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(root))
            {
                root = OperatingSystem.IsWindows()
                    ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                    : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            }

            return Path.Combine(root, "llava-cluster", "npm");
        }
    }

    /// <summary>The pictures of every class by one artist, from the cache or else from the registry.</summary>
    /// <exception cref="InvalidDataException">The archive's digest is not the pinned one, or a picture is missing.</exception>
    /// <exception cref="InvalidOperationException">npm is not installed or failed; the message holds what it printed.</exception>
    public async Task<ArtworkSet> LoadAsync(SceneArtist artist, SceneClasses classes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(artist);
        ArgumentNullException.ThrowIfNull(classes);
        var root = await EnsureAsync(artist, cancellationToken).ConfigureAwait(false);
        return new ArtworkSet(artist.Name, artist.Pictures.Load(root, classes));
    }

    /// <summary>All artists' pictures, decoded and ready to draw.</summary>
    public async Task<ArtworkLibrary> LoadLibraryAsync(IReadOnlyList<SceneArtist> artists, SceneClasses classes, CancellationToken cancellationToken)
    {
        var sets = new List<ArtworkSet>(artists.Count);
        foreach (var artist in artists)
        {
            sets.Add(await LoadAsync(artist, classes, cancellationToken).ConfigureAwait(false));
        }

        return ArtworkLibrary.Load(classes, sets);
    }

    private async Task<string> EnsureAsync(SceneArtist artist, CancellationToken cancellationToken)
    {
        var target = Path.Combine(_cache, artist.Package.FolderName);
        if (Directory.Exists(target))
        {
            return target;
        }

        var work = Path.Combine(_cache, $".tmp-{artist.Package.FolderName}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(work);
        try
        {
            var archive = await PackAsync(artist.Package, work, cancellationToken).ConfigureAwait(false);
            await VerifyAsync(artist.Package, archive, cancellationToken).ConfigureAwait(false);
            var unpacked = Path.Combine(work, "unpacked");
            await UnpackAsync(archive, artist.Pictures.Folder, unpacked, cancellationToken).ConfigureAwait(false);
            Publish(unpacked, target);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }

        return target;
    }

    private static async Task<string> PackAsync(NpmPackage package, string folder, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(OperatingSystem.IsWindows() ? "npm.cmd" : "npm")
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in (string[])["pack", $"{package.Name}@{package.Version}", "--silent", "--pack-destination", folder])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = StartNpm(start);
        var (exitCode, errors) = await RunToEndAsync(process, cancellationToken).ConfigureAwait(false);
        if (exitCode != 0)
        {
            throw new InvalidOperationException($"npm pack {package.Name}@{package.Version} ended with {exitCode}: {errors.Trim()}");
        }

        return Directory.EnumerateFiles(folder, "*.tgz").Single();
    }

    private static async Task<(int ExitCode, string Errors)> RunToEndAsync(Process process, CancellationToken cancellationToken)
    {
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            await output.ConfigureAwait(false);
            return (process.ExitCode, await errors.ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    private static Process StartNpm(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new InvalidOperationException("npm did not start.");
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new InvalidOperationException("The artwork is fetched with npm, which is not installed (Debian: apt-get install npm).", exception);
        }
    }

    private static async Task VerifyAsync(NpmPackage package, string archive, CancellationToken cancellationToken)
    {
        await using var stream = File.OpenRead(archive);
        var digest = "sha512-" + Convert.ToBase64String(await SHA512.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));
        if (digest != package.Integrity)
        {
            throw new InvalidDataException($"{package.Name}@{package.Version} must have integrity {package.Integrity}; was {digest}.");
        }
    }

    /// <summary>Unpacks the picture folder and the package's own top-level files (licence, readme); everything else stays packed.</summary>
    internal static async Task UnpackAsync(string archive, string? folder, string target, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(archive);
        await using var gzip = new GZipStream(file, CompressionMode.Decompress);
        await using var tar = new TarReader(gzip);
        while (await tar.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || !entry.Name.StartsWith(ArchiveRoot, StringComparison.Ordinal))
            {
                continue;
            }

            var path = entry.Name[ArchiveRoot.Length..];
            var wanted = !path.Contains('/') || (folder is not null && path.StartsWith(folder + "/", StringComparison.Ordinal) && !path.Contains("..", StringComparison.Ordinal));
            if (wanted)
            {
                var destination = Path.Combine(target, path);
                Directory.CreateDirectory(Path.GetDirectoryName(destination)!);
                await entry.ExtractToFileAsync(destination, overwrite: true, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static void Publish(string unpacked, string target)
    {
        try
        {
            Directory.Move(unpacked, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // Another process published the same, verified content first.
        }
    }
}
