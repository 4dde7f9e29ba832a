using CsCheck;
using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Generation;
using LlavaCluster.Engine.Tests.Support;

namespace LlavaCluster.Engine.Tests.Execution;

public sealed class EngineWorkloadTests
{
    private static readonly Gen<EngineRequest> Request =
        from tenant in Gen.Int[0, 2]
        from common in Gen.Int[0, 12]
        from own in Gen.Int[0, 28].Array[1, 10]
        from image in Gen.Int[0, 3]
        from imageTokens in Gen.OneOf(Gen.Const(3), Gen.Const(6), Gen.Const(10))
        from images in Gen.Int[0, 2]
        from maxTokens in Gen.Int[1, 20]
        from choices in Gen.Frequency((3, Gen.Const(1)), (1, Gen.Int[2, 3]))
        from temperature in Gen.OneOf(Gen.Const(0.0), Gen.Const(1.0))
        from penalty in Gen.OneOf(Gen.Const(0.0), Gen.Const(0.5))
        from endless in Gen.Bool
        from seed in Gen.Long
        from priority in Gen.Int[0, 2]
        from adapter in Gen.Frequency((2, Gen.Const(0ul)), (1, Gen.Const(1ul)), (1, Gen.Const(2ul)))
        select Requests.Of(
                $"tenant{tenant}",
                maxTokens,
                [
                    Requests.Text([.. Enumerable.Range(0, common)]),
                    .. Enumerable.Range(image, images).Select(i => Requests.Image(i, imageTokens)),
                    Requests.Text(own),
                ])
            .With(s => s with { Temperature = temperature, Seed = seed, Choices = choices, FrequencyPenalty = penalty, IgnoreEos = endless, Stop = Requests.Stops("bad", "cab") })
            with { Priority = (RequestPriority)priority, Adapter = adapter == 0 ? null : EngineBench.DigestOf(adapter) };

    private static readonly Gen<EngineOptions> Options =
        from blockSize in Gen.OneOf(Gen.Const(1), Gen.Const(3), Gen.Const(4))
        from tokens in Gen.Int[9, 40]
        from running in Gen.Int[1, 8]
        from kvTokens in Gen.Int[110, 260]
        from imageStep in Gen.Int[3, 12]
        from imageCache in Gen.Int[10, 30]
        from guessed in Gen.OneOf(Gen.Const(0), Gen.Const(1), Gen.Const(5))
        from slowdown in Gen.OneOf(Gen.Const(double.PositiveInfinity), Gen.Const(1.1), Gen.Const(3.0))
        from imageCost in Gen.OneOf(Gen.Const(1.0), Gen.Const(5.0)) // 50 for the largest image: more than a step has beside its answers
        select new EngineOptions
        {
            BlockSize = blockSize,
            KvBlocks = kvTokens / blockSize,
            MaxTokensPerStep = tokens,
            MaxRunningSequences = running,
            MaxImageTokensPerStep = imageStep,
            ImageCacheTokens = imageCache,
            MaxGuessedTokens = guessed,
            MaxStepSlowdown = slowdown,
            ImageTokenCost = imageCost,
        };

    private int _parts;

    [Fact]
    public void Run_WhateverTheBatchTheChunksTheGuessesAndThePreemptions_GivesWhatEachRequestGivesAlone()
    {
        Gen.Select(Request.Array[1, 8], Options, Gen.Bool, Gen.Bool).Sample(
            (requests, options, repeats, picks) =>
            {
                var alone = requests.Select(r => EngineBench.Alone(r, repeats: repeats)).ToList();
                using var bench = new EngineBench(options);
                bench.LoadTwo();
                bench.Runner.Repeats = repeats;
                bench.Runner.Picks = picks;
                bench.Runner.OnWork = work => bench.Time.Advance(TimeSpan.FromMicroseconds(10 + work));
                var live = new List<LiveRequest>();
                foreach (var request in requests)
                {
                    live.Add(bench.Submit(request));
                    bench.Step();
                    AssertBudgets(bench);
                }

                bench.RunToEnd();
                AssertBudgets(bench);
                for (var i = 0; i < requests.Length; i++)
                {
                    var updates = EngineBench.Read(live[i]);
                    for (var choice = 0; choice < requests[i].Sampling.Choices; choice++)
                    {
                        Assert.Equal(EngineBench.Tokens(alone[i], choice), EngineBench.Tokens(updates, choice));
                        Assert.Equal(EngineBench.Text(alone[i], choice), EngineBench.Text(updates, choice));
                    }
                }

                bench.AssertNothingIsHeld();
                _parts += bench.Runner.Parts;
            },
            iter: 300, threads: 1);

        Assert.True(_parts > 100, $"{_parts} parts of images were encoded beside answers.");
    }

    [Fact]
    public void Cancel_AtAnyStep_GivesEverythingBackAndLeavesOthersAlone() =>
        Gen.Select(Request.Array[2, 6], Options, Gen.Int[0, 12].Array[6]).Sample(
            (requests, options, stops) =>
            {
                using var bench = new EngineBench(options);
                bench.LoadTwo();
                bench.Runner.Repeats = true;
                bench.Runner.OnWork = work => bench.Time.Advance(TimeSpan.FromMicroseconds(10 + work));
                var live = requests.Select(bench.Submit).ToList();
                for (var step = 0; step <= 12; step++)
                {
                    for (var i = 1; i < live.Count; i++)
                    {
                        if (stops[i] == step)
                        {
                            live[i].Cancel();
                        }
                    }

                    bench.Step();
                }

                bench.RunToEnd();
                bench.AssertNothingIsHeld();
                Assert.Equal(EngineBench.Tokens(EngineBench.Alone(requests[0], repeats: true)), EngineBench.Tokens(EngineBench.Read(live[0])));
                Assert.All(live.Skip(1), r => Assert.NotNull(EngineBench.Read(r)[^1].Usage));
                Assert.All(live, r => Assert.True(r.Updates.Completion.IsCompleted));
            },
            iter: 200, threads: 1);

    [Fact]
    public void Resume_AtEveryTokenOfEveryChoice_ContinuesExactly() =>
        Request.Sample(
            request =>
            {
                var whole = EngineBench.Alone(request, repeats: true);
                for (var cut = 0; cut <= whole.Count; cut++)
                {
                    var before = whole.Take(cut).ToList();
                    var emitted = Enumerable.Range(0, request.Sampling.Choices).Select(c => (IReadOnlyList<int>)EngineBench.Tokens(before, c)).ToList();
                    var after = EngineBench.Alone(request with { Emitted = emitted }, Guessing(), repeats: true);
                    for (var choice = 0; choice < request.Sampling.Choices; choice++)
                    {
                        Assert.Equal(EngineBench.Tokens(whole, choice), EngineBench.Tokens(before.Concat(after), choice));
                        Assert.Equal(EngineBench.Text(whole, choice), EngineBench.Text(before, choice) + EngineBench.Text(after, choice));
                        Assert.Equal(
                            whole.Last(u => u.Choice == choice).Finish,
                            after.Where(u => u.Choice == choice).Last().Finish);
                    }

                    Assert.Equal(whole[^1].Usage!.CompletionTokens, after[^1].Usage!.CompletionTokens);
                }
            },
            iter: 60, threads: 1);

    [Fact]
    public void Resume_UnderAConstraint_KeepsToItAndContinuesExactly() =>
        Gen.Select(Request, Gen.OneOf(Gen.Const("[a-f]{2,9}x"), Gen.Const("(abc|de|q)+"), Gen.Const("zz?(a|b)*c"))).Sample(
            (drawn, pattern) =>
            {
                var request = drawn.With(s => s with { Stop = [], MaxTokens = 20 }) with { Constraint = new ConstraintSpec.Pattern(pattern) };
                var whole = EngineBench.Alone(request, repeats: true);
                for (var choice = 0; choice < request.Sampling.Choices; choice++)
                {
                    if (whole.Last(u => u.Choice == choice).Finish == FinishReason.Stop)
                    {
                        Assert.Matches($"^({pattern})$", EngineBench.Text(whole, choice));
                    }

                    for (var cut = 0; cut < whole.Count; cut += 3)
                    {
                        var before = whole.Take(cut).ToList();
                        var after = EngineBench.Alone(request with
                        {
                            Emitted = [.. Enumerable.Range(0, request.Sampling.Choices).Select(c => (IReadOnlyList<int>)EngineBench.Tokens(before, c))],
                        }, Guessing(), repeats: true);
                        Assert.Equal(EngineBench.Tokens(whole, choice), EngineBench.Tokens(before.Concat(after), choice));
                    }
                }
            },
            iter: 60, threads: 1);

    private static EngineOptions Guessing() => new() { BlockSize = 4, KvBlocks = 64, MaxTokensPerStep = 24, MaxRunningSequences = 8, MaxImageTokensPerStep = 8, ImageCacheTokens = 32, MaxGuessedTokens = 5 };

    private static void AssertBudgets(EngineBench bench)
    {
        Assert.InRange(bench.Runner.LargestStep, 0, bench.Options.MaxTokensPerStep);
        Assert.InRange(bench.Core.Scheduler.Running.Count, 0, bench.Options.MaxRunningSequences);
        Assert.InRange(bench.Core.Features.UsedTokens, 0, bench.Options.ImageCacheTokens);
        Assert.InRange(bench.Runner.ImageSlots, 0, bench.Core.Features.Count + bench.Core.Features.References + 1);
    }
}
