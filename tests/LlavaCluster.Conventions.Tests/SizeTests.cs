using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace LlavaCluster.Conventions.Tests;

/// <summary>The hard stops of the house style.</summary>
public sealed class SizeTests
{
    private const int MostLinesOfAFile = 400;
    private const int MostLinesOfAMethod = 80;

    [Fact]
    public void Files_AreShort() =>
        Assert.Empty(from tree in SourceTree.Parse("src", "tests")
                     let lines = tree.GetText().Lines.Count
                     where lines > MostLinesOfAFile
                     select $"{tree.FilePath}: {lines}");

    [Fact]
    public void Methods_AreShort() =>
        Assert.Empty(from tree in SourceTree.Parse("src", "tests")
                     from method in tree.GetRoot().DescendantNodes().OfType<BaseMethodDeclarationSyntax>()
                     let span = tree.GetLineSpan(method.Span)
                     let lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1
                     where lines > MostLinesOfAMethod
                     select $"{tree.FilePath}:{span.StartLinePosition.Line + 1}: {lines}");
}
