using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace LlavaCluster.Conventions.Tests;

/// <summary>What each project's closure may hold (ARCHITECTURE.md): a front never carries torch, the model side never carries Orleans.</summary>
public sealed class BorderTests
{
    [Theory]
    [InlineData("LlavaCluster.Gateway", "TorchSharp")]
    [InlineData("LlavaCluster.Gateway", "LlavaCluster.Model")]
    [InlineData("LlavaCluster.Gateway", "SkiaSharp")]
    [InlineData("LlavaCluster.Grains", "TorchSharp")]
    [InlineData("LlavaCluster.Pictures", "SkiaSharp")]
    [InlineData("LlavaCluster.Model", "Orleans.Core.Abstractions")]
    [InlineData("LlavaCluster.Engine", "Orleans.Core.Abstractions")]
    [InlineData("LlavaCluster.Training", "Orleans.Core.Abstractions")]
    [InlineData("LlavaCluster.Client", "Orleans.Core.Abstractions")]
    [InlineData("LlavaCluster.Client", "TorchSharp")]
    public void Closure_DoesNotReach(string project, string forbidden) => Assert.DoesNotContain(forbidden, Closure(project));

    // Shows that the walk sees what it is meant to find.
    [Theory]
    [InlineData("LlavaCluster.Engine", "TorchSharp")]
    [InlineData("LlavaCluster.Grains", "Orleans.Core.Abstractions")]
    public void Closure_Reaches(string project, string expected) => Assert.Contains(expected, Closure(project));

    private static HashSet<string> Closure(string assembly)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var queue = new Queue<string>([assembly]);
        while (queue.TryDequeue(out var name))
        {
            var path = Path.Combine(AppContext.BaseDirectory, name + ".dll");
            if (!seen.Add(name) || !File.Exists(path))
            {
                continue;
            }

            using var file = new PEReader(File.OpenRead(path));
            var metadata = file.GetMetadataReader();
            foreach (var handle in metadata.AssemblyReferences)
            {
                queue.Enqueue(metadata.GetString(metadata.GetAssemblyReference(handle).Name));
            }
        }

        return seen;
    }
}
