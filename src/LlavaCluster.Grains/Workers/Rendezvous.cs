using System.Text;

namespace LlavaCluster.Grains.Workers;

/// <summary>
/// Highest-random-weight hashing (Thaler and Ravishankar 1998): each key ranks all nodes, so a lost node moves only its own keys.
/// The hash is FNV-1a with a final mix, the same in every process.
/// </summary>
internal static class Rendezvous
{
    public static ulong Score(string key, string node)
    {
        var hash = 14695981039346656037UL;
        foreach (var b in Encoding.UTF8.GetBytes($"{key}\0{node}"))
        {
            hash = (hash ^ b) * 1099511628211UL;
        }

        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdUL;
        return hash ^ (hash >> 33);
    }
}
