using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace LlavaCluster.Cluster.Tests;

/// <summary>The README's programs and commands, run as they are printed, but for the port and the time it takes to build what they name.</summary>
public sealed partial class ReadmeTests(ShippedModel served) : IClassFixture<ShippedModel>
{
    private const string BuildAndRun = "dotnet run -c Release --project src/LlavaCluster.Cli --";
    private static readonly string Root = Path.GetFullPath(Path.Combine(Goldens.Path("a_llava15"), "../../.."));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Programs => [.. Enumerable.Range(0, Blocks("csharp").Length)];

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Program_IsWholeAndPrintsAnAnswer(int index)
    {
        var source = Blocks("csharp")[index];
        CheckDirectives(source);
        // In the folder of this assembly, whose packages it runs with.
        var program = Path.Combine(AppContext.BaseDirectory, $"Readme{index}.dll");
        Compile(Local(DirectiveLines().Replace(source, "")), program);
        var settings = Path.Combine(AppContext.BaseDirectory, "LlavaCluster.Cluster.Tests");
        var (code, printed, errors) = await Command.RunProgramAsync(
            "dotnet", ["exec", "--runtimeconfig", $"{settings}.runtimeconfig.json", "--depsfile", $"{settings}.deps.json", program], "", Cancel, Root);
        Assert.True(code == 0, errors);
        Assert.NotEmpty(printed.Trim());
    }

    [Fact]
    public async Task CurlCommand_PrintsAnAnswer()
    {
        Assert.SkipWhen(InstalledPrograms.Find("curl") is null, "curl is not installed.");
        var (code, printed, errors) = await ShellAsync(Blocks("sh").Single(block => block.Contains("/v1/chat/completions", StringComparison.Ordinal)));
        Assert.True(code == 0, errors);
        Assert.Contains("\"object\":\"chat.completion\"", printed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ChatCommand_PrintsAnAnswer()
    {
        var (code, printed, errors) = await ShellAsync(Blocks("sh").Single(block => block.Contains("-- chat", StringComparison.Ordinal)));
        Assert.True(code == 0, errors);
        Assert.NotEmpty(printed.Trim());
    }

    [Theory]
    [InlineData(@"(?<!bench) serve ", "ServeCommand.cs")]
    [InlineData(@"bench (serve|engine) ", "LoadMeasurement.cs")]
    public void EveryOption_OfAServeCommand_Exists(string command, string source)
    {
        var lines = Blocks("sh").SelectMany(block => block.Split('\n')).Where(line => Regex.IsMatch(line, command)).ToList();
        var printed = lines.SelectMany(line => Options().Matches(line)).Select(match => match.Value).Distinct();
        var known = File.ReadAllText(Path.Combine(Root, "src/LlavaCluster.Cli/Commands", source));
        Assert.NotEmpty(lines);
        Assert.All(printed.Except(["--project"]), option => Assert.Contains($"\"{option}\"", known, StringComparison.Ordinal));
    }

    private static string[] Blocks(string language) =>
        [.. Fences().Matches(File.ReadAllText(Path.Combine(Root, "README.md"))).Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value)];

    /// <summary>What <c>dotnet run</c> would be told to build with: projects that exist, packages whose version this repository states.</summary>
    private static void CheckDirectives(string source)
    {
        var versions = XDocument.Load(Path.Combine(Root, "Directory.Packages.props")).Descendants("PackageVersion").Select(package => (string)package.Attribute("Include")!).ToHashSet();
        foreach (Match directive in DirectiveLines().Matches(source))
        {
            var name = directive.Groups[2].Value;
            Assert.True(directive.Groups[1].Value == "project" ? File.Exists(Path.Combine(Root, name)) : versions.Contains(name), directive.Value);
        }
    }

    private static void Compile(string source, string path)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(file => MetadataReference.CreateFromFile(file));
        string[] implicitUsings = ["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"];
        var usings = string.Concat(implicitUsings.Select(name => $"global using {name};"));
        var options = new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable);
        var compiled = CSharpCompilation.Create(Path.GetFileNameWithoutExtension(path), [CSharpSyntaxTree.ParseText(source), CSharpSyntaxTree.ParseText(usings)], references, options).Emit(path);
        Assert.True(compiled.Success, string.Join('\n', compiled.Diagnostics));
    }

    private Task<(int Code, string Printed, string Errors)> ShellAsync(string block)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "llava.dll");
        var command = $"export LLAVA_URL={served.Address.AbsoluteUri}; set -euo pipefail; {Local(block).Replace(BuildAndRun, $"dotnet {program}", StringComparison.Ordinal)}";
        return Command.RunProgramAsync("bash", ["-c", command], "", Cancel, Root);
    }

    private string Local(string text) => text.Replace("127.0.0.1:8080", served.Address.Authority, StringComparison.Ordinal);

    [GeneratedRegex("^```(\\w+)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fences();

    [GeneratedRegex("^#:(\\w+) (\\S+)$", RegexOptions.Multiline)]
    private static partial Regex DirectiveLines();

    [GeneratedRegex("--[a-z-]+")]
    private static partial Regex Options();
}
