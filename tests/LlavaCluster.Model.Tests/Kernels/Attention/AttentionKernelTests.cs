using LlavaCluster.Model.Kernels;

namespace LlavaCluster.Model.Tests.Kernels.Attention;

public sealed class AttentionKernelTests
{
    [Fact]
    public void Attend_InFloat32_IsTheWeightedSumInDouble() => AttentionCheck<Float32Element, float>.IsTheWeightedSum(machine: false, 2e-6);

    [Fact]
    public void Attend_InBFloat16_IsTheWeightedSumInDouble() => AttentionCheck<BFloat16Element, ushort>.IsTheWeightedSum(machine: false, 2e-6);

    // Queries and weights are rounded to 8 bits too.
    [Fact]
    public void Attend_InBFloat16ByMachineCode_IsTheWeightedSumWithinTheType() => AttentionCheck<BFloat16Element, ushort>.IsTheWeightedSum(machine: true, 0.01);

    [Fact]
    public void Attend_InFloat32_GivesAQueryTheSameAloneAndAmongOthers() => AttentionCheck<Float32Element, float>.IsTheSameAlone(machine: false);

    [Fact]
    public void Attend_InBFloat16_GivesAQueryTheSameAloneAndAmongOthers() => AttentionCheck<BFloat16Element, ushort>.IsTheSameAlone(machine: false);

    [Fact]
    public void Attend_InBFloat16ByMachineCode_GivesAQueryTheSameAloneAndAmongOthers() => AttentionCheck<BFloat16Element, ushort>.IsTheSameAlone(machine: true);
}
