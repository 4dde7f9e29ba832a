using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Marks one symbol-version need of an ELF64 shared library weak, so that the loader accepts a host that lacks the version.
/// Does nothing where the host's libstdc++ has it, where the file is absent, or where it is done already.
/// </summary>
public class WeakenVersionNeed : Task
{
    private const uint SectionGnuVerneed = 0x6ffffffe;
    private const byte FlagWeak = 2;

    [Required]
    public string Library { get; set; }

    [Required]
    public string Version { get; set; }

    public override bool Execute()
    {
        if (!File.Exists(Library) || HostHasVersion())
        {
            return true;
        }

        var elf = File.ReadAllBytes(Library);
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != (byte)'E' || elf[4] != 2 || !Weaken(elf))
        {
            return true;
        }

        // Written beside and renamed: the old file may be a hard link into the package cache.
        var temporary = Library + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(temporary, elf);
        File.Delete(Library);
        File.Move(temporary, Library);
        Log.LogMessage(MessageImportance.High, "Marked {0} weak in {1}: this host's libstdc++ is older than TorchSharp expects.", Version, Library);
        return true;
    }

    private bool HostHasVersion()
    {
        var needle = Encoding.ASCII.GetBytes(Version + "\0");
        foreach (var folder in new[] { "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib", "/lib" })
        {
            var path = Path.Combine(folder, "libstdc++.so.6");
            if (File.Exists(path))
            {
                return IndexOf(File.ReadAllBytes(path), needle) >= 0;
            }
        }

        // No libstdc++ where distributions put it: nothing is known of this host, so nothing is changed.
        return true;
    }

    private bool Weaken(byte[] elf)
    {
        var changed = false;
        var sections = BitConverter.ToInt64(elf, 40);
        int entrySize = BitConverter.ToUInt16(elf, 58), count = BitConverter.ToUInt16(elf, 60);
        for (var i = 0; i < count; i++)
        {
            var header = (int)(sections + (long)i * entrySize);
            if (BitConverter.ToUInt32(elf, header + 4) != SectionGnuVerneed)
            {
                continue;
            }

            var need = BitConverter.ToInt64(elf, header + 24);
            var link = (int)BitConverter.ToUInt32(elf, header + 40);
            var needs = (int)BitConverter.ToUInt32(elf, header + 44);
            var strings = BitConverter.ToInt64(elf, (int)(sections + (long)link * entrySize) + 24);
            for (var n = 0; n < needs; n++)
            {
                int auxiliaries = BitConverter.ToUInt16(elf, (int)need + 2);
                var auxiliary = need + BitConverter.ToUInt32(elf, (int)need + 8);
                for (var a = 0; a < auxiliaries; a++)
                {
                    var name = strings + BitConverter.ToUInt32(elf, (int)auxiliary + 8);
                    if (ReadString(elf, (int)name) == Version && (elf[auxiliary + 4] & FlagWeak) == 0)
                    {
                        elf[auxiliary + 4] |= FlagWeak;
                        changed = true;
                    }

                    auxiliary += BitConverter.ToUInt32(elf, (int)auxiliary + 12);
                }

                need += BitConverter.ToUInt32(elf, (int)need + 12);
            }
        }

        return changed;
    }

    private static string ReadString(byte[] bytes, int start)
    {
        var end = Array.IndexOf(bytes, (byte)0, start);
        return Encoding.ASCII.GetString(bytes, start, end - start);
    }

    private static int IndexOf(byte[] haystack, byte[] needle)
    {
        for (var i = 0; i + needle.Length <= haystack.Length; i++)
        {
            var k = 0;
            while (k < needle.Length && haystack[i + k] == needle[k])
            {
                k++;
            }

            if (k == needle.Length)
            {
                return i;
            }
        }

        return -1;
    }
}
