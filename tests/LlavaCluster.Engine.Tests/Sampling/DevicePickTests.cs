using CsCheck;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Model.Kernels.Decoding;
using LlavaCluster.Model.Kernels.Operators;
using TorchSharp;

namespace LlavaCluster.Engine.Tests.Sampling;

/// <summary>What a device picks by itself is what the sampler would have drawn from the row.</summary>
public sealed class DevicePickTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    private static readonly Gen<float> Score = Gen.Frequency(
        (20, Gen.Int[-4, 4].Select(score => score / 2f)), (1, Gen.Const(float.NegativeInfinity)), (1, Gen.Const(-0f)));

    private static readonly Gen<float[]> Row =
        from row in Score.Array[24]
        from bad in Gen.Frequency((4, Gen.Const(0f)), (1, Gen.Const(float.NaN)), (1, Gen.Const(float.PositiveInfinity)), (1, Gen.Const(float.NegativeInfinity)))
        from first in Gen.Int[0, 23]
        from count in Gen.Int[1, 24]
        select bad == 0 ? row : row.Select((score, id) => id >= first && id < first + count ? bad : score).ToArray();

    [Fact]
    public void Pick_OfAnyRow_IsTheSamplersDraw() => Gen.Select(Row.Array[1, 6], Gen.Bool.Array[6], Gen.Int[0, 23].Array[0, 3], Gen.Int[0, 23].Array[0, 3]).Sample(
        (rows, endless, reserved, ends) =>
        {
            using var scope = torch.NewDisposeScope();
            using var picker = new TokenPicker(new TokenBans(reserved, ends), torch.CPU);
            var logits = torch.tensor([.. rows.SelectMany(row => row)], [rows.Length, 24]);
            var skips = torch.tensor([.. endless[..rows.Length].Select(skip => skip ? 1L : 0L)]);
            var sampler = new Sampler(24, reserved, ends);

            var picks = picker.Pick(logits, skips).data<float>().Select(pick => RowScores.Picked((int)pick).Pick!.Value).ToArray();

            for (var i = 0; i < rows.Length; i++)
            {
                var expected = sampler.Sample(new SamplingRow
                {
                    Logits = rows[i], Options = Greedy with { IgnoreEos = endless[i] }, History = new SamplingHistory([1], 4), Noise = default,
                });
                Assert.Equal(expected.Status, picks[i].Status);
                Assert.Equal(expected.Status == SampleStatus.Drawn ? expected.Id : 0, picks[i].Id);
            }
        });

    [Fact]
    public void Draw_OfWhatNeedsMoreThanTheHighest_IsTheSampler()
    {
        Assert.Equal(DrawKind.Highest, Greedy.Draw);
        Assert.Equal(DrawKind.Highest, (Greedy with { TopK = 3, TopP = 0.5, MinP = 0.1, Seed = 4 }).Draw);
        Assert.Equal(DrawKind.HighestButEnds, (Greedy with { IgnoreEos = true }).Draw);
        SamplingOptions[] others =
        [
            new(), Greedy with { RepetitionPenalty = 1.1 }, Greedy with { FrequencyPenalty = 0.1 }, Greedy with { PresencePenalty = -0.1 }, Greedy with { LogitBias = [new(3, 1)] },
            Greedy with { Logprobs = true },
        ];
        Assert.All(others, options => Assert.Equal(DrawKind.Sampler, options.Draw));
    }
}
