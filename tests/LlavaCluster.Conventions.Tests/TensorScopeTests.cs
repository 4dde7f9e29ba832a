using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace LlavaCluster.Conventions.Tests;

/// <summary>
/// A dispose scope is bound to its thread: with an await or a yield inside, tensors leak or are disposed under their user. So a method that opens one does neither.
/// </summary>
public sealed class TensorScopeTests
{
    [Fact]
    public void MethodsThatOpenAScope_NeitherAwaitNorYield()
    {
        var offenders = SourceTree.Parse("src").SelectMany(Offenders).ToList();

        Assert.Empty(offenders);
    }

    [Fact]
    public void Offenders_FindsAnAwaitInAScope()
    {
        var tree = CSharpSyntaxTree.ParseText("class C { async Task M() { using var s = torch.NewDisposeScope(); await N(); } }", path: "C.cs", cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(["C.cs:1"], Offenders(tree));
    }

    private static IEnumerable<string> Offenders(SyntaxTree tree) =>
        from call in tree.GetRoot().DescendantNodes().OfType<InvocationExpressionSyntax>()
        where call.Expression.ToString().EndsWith("NewDisposeScope", StringComparison.Ordinal)
        let body = call.Ancestors().First(IsBody)
        where Own(body).Any(node => node is AwaitExpressionSyntax or YieldStatementSyntax)
        select $"{tree.FilePath}:{tree.GetLineSpan(call.Span).StartLinePosition.Line + 1}";

    private static bool IsBody(SyntaxNode node) =>
        node is BaseMethodDeclarationSyntax or LocalFunctionStatementSyntax or AnonymousFunctionExpressionSyntax or AccessorDeclarationSyntax or CompilationUnitSyntax or BaseFieldDeclarationSyntax;

    private static IEnumerable<SyntaxNode> Own(SyntaxNode body) => body.DescendantNodes(node => node == body || !IsBody(node));
}
