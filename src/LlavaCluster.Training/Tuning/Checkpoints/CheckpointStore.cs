using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace LlavaCluster.Training.Tuning.Checkpoints;

/// <summary>
/// The last states of a run, each a file named by its step and the SHA-256 of its bytes. A file has its name once it is whole and on the disk, and is not used where its bytes
/// are no longer those of its name, so a full disk, a killed process or a bad sector costs the steps since the state before. One process at a time.
/// </summary>
public sealed partial class CheckpointStore
{
    private const string Temporary = ".tmp";

    private readonly string _folder;
    private readonly int _keep;

    /// <param name="folder">Made where there is none. Other files in it are let be.</param>
    /// <param name="keep">States that are kept; at least 1. Default: 3.</param>
    public CheckpointStore(string folder, int keep = 3)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keep);
        (_folder, _keep) = (folder, keep);
        Directory.CreateDirectory(folder);
        foreach (var left in Directory.EnumerateFiles(folder, "step-*" + Temporary))
        {
            File.Delete(left); // of a process that was killed
        }
    }

    /// <summary>The states there are, the latest step first; nothing is said of their bytes.</summary>
    public IReadOnlyList<StoredCheckpoint> List() =>
    [
        .. from path in Directory.EnumerateFiles(_folder)
           let name = FileName().Match(Path.GetFileName(path))
           where name.Success
           let step = long.Parse(name.Groups["step"].ValueSpan, CultureInfo.InvariantCulture)
           orderby step descending, File.GetLastWriteTimeUtc(path) descending
           select new StoredCheckpoint(step, name.Groups["digest"].Value, path),
    ];

    /// <summary>Writes a state, then removes those beyond the number that is kept.</summary>
    /// <exception cref="IOException">It cannot be written; the states before it stay.</exception>
    public StoredCheckpoint Save(long step, Action<Stream> write)
    {
        var temporary = Path.Combine(_folder, $"step-{Guid.NewGuid():n}{Temporary}");
        try
        {
            string digest;
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
                stream.Position = 0;
                digest = Convert.ToHexStringLower(SHA256.HashData(stream));
            }

            var path = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"step-{step:0000000000}-{digest}.safetensors"));
            File.Move(temporary, path, overwrite: true);
            foreach (var old in List().Skip(_keep))
            {
                File.Delete(old.Path);
            }

            return new StoredCheckpoint(step, digest, path);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Reads the latest whole state.</summary>
    /// <param name="skipped">Told of each damaged file, in a sentence.</param>
    /// <returns>What was read, or null where there is no whole one.</returns>
    public StoredCheckpoint? Restore(Action<Stream> read, Action<string> skipped)
    {
        foreach (var stored in List())
        {
            using var stream = File.OpenRead(stored.Path);
            if (Convert.ToHexStringLower(SHA256.HashData(stream)) != stored.Digest)
            {
                skipped($"{stored.Path} is damaged: its bytes are not those of its name. It is left out.");
                continue;
            }

            stream.Position = 0;
            read(stream);
            return stored;
        }

        return null;
    }

    [GeneratedRegex(@"^step-(?<step>\d{10,18})-(?<digest>[0-9a-f]{64})\.safetensors$")]
    private static partial Regex FileName();
}

/// <summary>A state of a run on the disk.</summary>
/// <param name="Step">Steps that were applied.</param>
/// <param name="Digest">SHA-256 of the file, in hexadecimal.</param>
public sealed record StoredCheckpoint(long Step, string Digest, string Path);
