using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace LlavaCluster.Conventions.Tests;

/// <summary>The repository's C# sources, parsed.</summary>
internal static class SourceTree
{
    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<SyntaxTree> Parse(params string[] folders) =>
        [.. from folder in folders
            from file in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories)
            where !Path.GetRelativePath(Root, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj")
            select CSharpSyntaxTree.ParseText(File.ReadAllText(file), path: Path.GetRelativePath(Root, file))];

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "LlavaCluster.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("LlavaCluster.sln is not above the tests.");
        }

        return folder;
    }
}
