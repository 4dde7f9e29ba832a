using System.Reflection;
using TorchSharp;

namespace LlavaCluster.Conventions.Tests;

/// <summary>
/// A Scalar that only a call owns may be finalised while libtorch reads it (LlavaCluster.Model.Layers.Scalars says how). BannedSymbols.Torch.txt refuses the conversions that a
/// source shows; this finds those that TorchSharp's own methods make, in whatever version is referenced.
/// </summary>
public sealed class ScalarLifetimeTests
{
    private static readonly string[] Allowed =
    [
        // The place where numbers become Scalars that somebody keeps.
        "LlavaCluster.Model.Layers.Scalars.Of -> TorchSharp.Scalar.op_Implicit(Double)",
        // It makes Scalars of numbers only; what it is given are Scalars that the optimiser keeps.
        "LlavaCluster.Training.Optimisation.FusedAdamW.Step -> TorchSharp.torch+jit+CompilationUnit.invoke(String, Object[])",
    ];

    private static readonly HashSet<MethodBase> Makers = FindMakers();

    [Theory]
    [InlineData("LlavaCluster.Model")]
    [InlineData("LlavaCluster.Engine")]
    [InlineData("LlavaCluster.Training")]
    public void Projects_CallNothingThatMakesAScalarWhichNobodyKeeps(string project) =>
        Assert.Empty(Offences(CallGraph.Of(Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, project + ".dll")))).Except(Allowed));

    [Fact]
    public void Offences_OfAMethodThatHidesAScalar_NamesIt() => Assert.Equal(
        ["Square calls square", "Sum calls op_Addition", "Twice calls op_Implicit"],
        Offences(CallGraph.Of(typeof(Offender).Assembly).Where(entry => entry.Key.DeclaringType == typeof(Offender))).Select(Shorten).Order());

    private static IEnumerable<string> Offences(IEnumerable<KeyValuePair<MethodBase, MethodBase[]>> graph) =>
        from entry in graph
        from called in entry.Value
        where Makers.Contains(called)
        select $"{entry.Key.DeclaringType}.{entry.Key.Name} -> {called.DeclaringType}.{called.Name}({string.Join(", ", called.GetParameters().Select(parameter => parameter.ParameterType.Name))})";

    private static string Shorten(string offence)
    {
        var sides = offence.Split(" -> ");
        return $"{sides[0][(sides[0].LastIndexOf('.') + 1)..]} calls {sides[1][..sides[1].IndexOf('(')].Split('.')[^1]}";
    }

    /// <summary>The conversions, and whatever in TorchSharp calls them or calls one that does.</summary>
    private static HashSet<MethodBase> FindMakers()
    {
        var graph = CallGraph.Of(typeof(torch).Assembly).Where(entry => entry.Key.DeclaringType != typeof(Scalar)).ToList();
        var makers = typeof(Scalar).GetMethods().Where(method => method.Name == "op_Implicit").Concat(typeof(ScalarExtensionMethods).GetMethods()).ToHashSet<MethodBase>();
        for (var known = 0; known != makers.Count;)
        {
            known = makers.Count;
            makers.UnionWith(graph.Where(entry => entry.Value.Any(makers.Contains)).Select(entry => entry.Key));
        }

        return makers;
    }

    private static class Offender
    {
        public static torch.Tensor Sum(torch.Tensor left, torch.Tensor right) => left + right;

        public static torch.Tensor Square(torch.Tensor tensor) => tensor.square();

        public static torch.Tensor Twice(torch.Tensor tensor) => tensor.mul(2);

        public static torch.Tensor Product(torch.Tensor left, torch.Tensor right) => left * right;
    }
}
