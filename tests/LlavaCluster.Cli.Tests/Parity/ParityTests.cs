using LlavaCluster.Cli.Parity;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cli.Tests.Parity;

/// <summary>Our outputs against those of Hugging Face transformers on the checkpoints of tests/goldens (the scripts that made them are described there).</summary>
public sealed class ParityTests
{
    [Theory]
    [InlineData("a_llava15", 20)]
    [InlineData("b_llava_gqa_bf16", 18)]
    [InlineData("c_llava_next", 17)]
    public void Goldens_HoldInEveryCheck(string folder, int checks)
    {
        var rows = ParityReport.Run(Goldens.Path(folder));

        Assert.DoesNotContain(rows, row => !row.Holds);
        Assert.Equal(checks, rows.Select(row => row.Check).Distinct().Count());
    }

    [Fact]
    public void Run_OnADamagedWeight_NamesTheFirstBreach()
    {
        using var copy = new GoldenCopy("a_llava15");
        copy.AddToTensor("multi_modal_projector.linear_1.bias", 0.01f);

        var breaches = ParityReport.Run(copy.Folder).Where(row => !row.Holds).ToList();

        Assert.Contains(breaches, row => row is { Check: "vision", Subject: var subject } && subject.EndsWith(".projected", StringComparison.Ordinal));
        Assert.DoesNotContain(breaches, row => row.Subject.Contains("hidden_states", StringComparison.Ordinal));
        Assert.Contains(breaches, row => row.Check == "logits");
    }
}
