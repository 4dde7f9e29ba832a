using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Gateway.Auth;

/// <summary>API keys in a text file, one a line, for a first start on an open address. Blank lines and lines that start with '#' mean nothing.</summary>
public static class KeyFile
{
    /// <summary>A fresh key's text.</summary>
    public static string NewKey(TenantId tenant) => ApiKey.New(tenant);

    /// <exception cref="InvalidDataException">A line is no key, or there is none; the message names the line and never its text.</exception>
    public static ImmutableArray<string> Read(string path)
    {
        var keys = ImmutableArray.CreateBuilder<string>();
        var lines = File.ReadAllLines(path);
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line.StartsWith('#'))
            {
                continue;
            }

            keys.Add(ApiKey.TryParse(line, out _) ? line : throw new InvalidDataException($"{path} must hold one llava-TENANT.KEYID.SECRET a line; line {i + 1} is none."));
        }

        return keys.Count > 0 ? keys.DrainToImmutable() : throw new InvalidDataException($"{path} must hold at least one API key; it holds none.");
    }
}
