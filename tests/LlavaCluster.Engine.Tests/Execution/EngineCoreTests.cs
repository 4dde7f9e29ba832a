using LlavaCluster.Engine.Constraints;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Engine.Tests.Support;
using static LlavaCluster.Engine.Tests.Support.Requests;

namespace LlavaCluster.Engine.Tests.Execution;

public sealed class EngineCoreTests
{
    private const int Poison = 37;

    [Fact]
    public void Step_WhenOneRowMakesTheBatchThrow_FailsThatRequestOnly()
    {
        using var bench = new EngineBench();
        bench.Runner.PoisonToken = Poison;
        var good = Enumerable.Range(0, 3).Select(i => Of("a", 4, Text(i, 2, 3)).With(Never(Poison))).ToList();
        var live = good.Select(bench.Submit).ToList();
        var bad = bench.Submit(Of("a", 4, Text(5, Poison)));
        bench.RunToEnd();
        var failed = Assert.Single(EngineBench.Read(bad));
        Assert.Equal((FinishReason.Failed, FailureKind.Poisoned), (failed.Finish, failed.Failure!.Kind));
        Assert.All(live, (request, i) => Assert.Equal(EngineBench.Tokens(EngineBench.Alone(good[i])), EngineBench.Tokens(EngineBench.Read(request))));
        Assert.False(bench.Core.IsFaulted);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenTheDeviceFailsEverything_FailsRetryablyAndGivesUp()
    {
        using var bench = new EngineBench();
        bench.Runner.OnDevice = () => throw new InvalidOperationException("device lost");
        var live = Enumerable.Range(0, 6).Select(i => bench.Submit(Of("a", 4, Text([.. Enumerable.Range(i, 12)])))).ToList();
        bench.RunToEnd();
        Assert.All(live, request => Assert.Equal(FailureKind.DeviceFault, EngineBench.Read(request)[^1].Failure!.Kind));
        Assert.True(bench.Core.IsFaulted);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenLogitsAreNotFinite_FailsThatRequestOnly()
    {
        using var bench = new EngineBench();
        bench.Runner.NanToken = Poison;
        var bad = bench.Submit(Of("a", 4, Text(1, Poison)));
        var good = bench.Submit(Of("a", 4, Text(1, 2)).With(Never(Poison)));
        bench.RunToEnd();
        Assert.Equal(FailureKind.NotFinite, EngineBench.Read(bad)[^1].Failure!.Kind);
        Assert.Null(EngineBench.Read(good)[^1].Failure);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenLogitsAreNotFinite_LetsNobodyFindWhatWasComputed()
    {
        using var bench = new EngineBench();
        int[] words = [.. Enumerable.Range(0, 12)];
        bench.Runner.NanToken = Poison;
        bench.Submit(Of("a", 4, Image(1, 4), Text([.. words, Poison])));
        bench.RunToEnd();
        var next = bench.Submit(Of("a", 4, Image(1, 4), Text(words)).With(Never(Poison)));
        bench.RunToEnd();
        Assert.Equal((0, 2), (EngineBench.Read(next)[^1].Usage!.CachedTokens, bench.Runner.Encoded));
        var last = bench.Submit(Of("a", 4, Image(1, 4), Text(words)).With(Never(Poison)));
        bench.RunToEnd();
        Assert.Equal((12, 2), (EngineBench.Read(last)[^1].Usage!.CachedTokens, bench.Runner.Encoded));
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_OfAnAbandonedEngine_FindsNothingToDoForEver()
    {
        using var bench = new EngineBench();
        var live = bench.Submit(Of("a", 4, Text(1)));
        bench.Runner.OnDrop = () => throw new InvalidOperationException("broken");
        Assert.Throws<InvalidOperationException>(() => bench.Core.Step());
        bench.Core.Abandon();
        bench.Runner.OnDrop = null;
        bench.Runner.PoisonToken = 1;
        for (var i = 0; i < 3; i++)
        {
            // The row that was planned would fail, and its failure is none of the device's.
            Assert.Equal(StepOutcome.Idle, bench.Core.Step());
            Assert.True(bench.Core.IsFaulted);
        }

        Assert.Equal(FailureKind.DeviceFault, Assert.Single(EngineBench.Read(live)).Failure!.Kind);
    }

    [Theory]
    [InlineData(false, FinishReason.Stop)]
    [InlineData(true, FinishReason.Length)]
    public void Step_WhereTheModelHasStopTexts_EndsThereBesideTheRequestsOwn(bool ignoreEos, FinishReason finish)
    {
        var request = Of("a", 12, Text(1, 2)).With(s => s with { IgnoreEos = true, Stop = Stops("?", "!", "#", "%"), LogitBias = [new(EndToken, -100)] });
        var whole = EngineBench.Text(EngineBench.Alone(request));
        using var bench = new EngineBench(model: Requests.Model with { StopTexts = [whole[3..5]] });
        var live = bench.Submit(request.With(s => s with { IgnoreEos = ignoreEos }));
        bench.RunToEnd();
        var updates = EngineBench.Read(live);
        Assert.Equal(finish, updates[^1].Finish);
        Assert.Equal(ignoreEos ? whole : whole[..whole.IndexOf(whole[3..5], StringComparison.Ordinal)], EngineBench.Text(updates));
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhereATextRepeatsItself_DrawsSeveralTokensAtOnceAndTheSameOnes()
    {
        var request = Of("a", 80, Text(1, 2, 3)).With(s => s with { IgnoreEos = true });
        using var plain = new EngineBench();
        using var bench = Guessing();
        plain.Runner.Repeats = bench.Runner.Repeats = true;
        var (expected, live) = (plain.Submit(request), bench.Submit(request));
        plain.RunToEnd();
        bench.RunToEnd();
        Assert.Equal(EngineBench.Tokens(EngineBench.Read(expected)), EngineBench.Tokens(EngineBench.Read(live)));
        Assert.Equal(expected.Choices[0].Sequence!.Charged, live.Choices[0].Sequence!.Charged);
        Assert.InRange(bench.Core.Steps, 1, 60);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhereAnswersRepeatThemselves_LetsPromptsInBeforeGuesses()
    {
        using var bench = Guessing();
        bench.Runner.Repeats = true;
        var live = Enumerable.Range(0, 7).Select(i => bench.Submit(Of("a", 150, Text(i, 2, 3)).With(s => s with { IgnoreEos = true }))).ToList();
        for (var step = 0; step < 40; step++)
        {
            bench.Step();
        }

        var late = bench.Submit(Of("b", 4, Text([.. Enumerable.Range(0, 30)])));
        for (var step = 0; step < 3; step++)
        {
            bench.Step();
        }

        Assert.All(live, request => Assert.False(request.IsDone));
        Assert.NotEmpty(EngineBench.Read(late)); // 17 of 24 tokens a step are its own, whatever the others would guess
        bench.RunToEnd();
        bench.AssertNothingIsHeld();
    }

    private static EngineBench Guessing() => new(new EngineOptions { BlockSize = 4, KvBlocks = 400, MaxTokensPerStep = 24, MaxRunningSequences = 8, MaxGuessedTokens = 6 });

    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 9)] // how likely a token was is not known without its scores
    public void Step_WhereAConstraintLeavesOneToken_TakesItWithoutItsScores(bool logprobs, int steps)
    {
        using var bench = new EngineBench();
        var live = bench.Submit(Of("a", 20, Text(1, 2)).With(s => s with { Logprobs = logprobs }) with { Constraint = new ConstraintSpec.Pattern("mnop(r|s)tuv") });
        bench.RunToEnd();
        var updates = EngineBench.Read(live);
        Assert.Matches("^mnop(r|s)tuv$", EngineBench.Text(updates));
        Assert.Equal((FinishReason.Stop, 9), (updates[^1].Finish, updates.Count));
        Assert.Equal(steps, bench.Core.Steps);
    }

    [Fact]
    public void Step_WhenAnImageIsRefused_FailsItsRequestWithTheReason()
    {
        using var bench = new EngineBench();
        var refused = bench.Submit(Of("a", 4, Image(2, 4, _ => throw new ImageRefusedException("messages: a picture must be whole.")), Text(1)));
        var faulty = bench.Submit(Of("a", 4, Image(3, 4, _ => throw new IOException("at /data/objects/3")), Text(1)));
        bench.RunToEnd();
        Assert.Equal(new RequestFailure(FailureKind.Image, "messages: a picture must be whole."), EngineBench.Read(refused)[^1].Failure);
        Assert.Equal(new RequestFailure(FailureKind.ImageUnread, "The pixels of an image could not be had (IOException)."), EngineBench.Read(faulty)[^1].Failure);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenOneImageCannotBeEncoded_FailsItsRequestsOnly()
    {
        using var bench = new EngineBench();
        var bad = bench.Submit(Of("a", 4, Image(-1, 4), Text(1)));
        var good = bench.Submit(Of("a", 4, Image(1, 4), Text(1)));
        bench.RunToEnd();
        Assert.Equal(FailureKind.Image, EngineBench.Read(bad)[^1].Failure!.Kind);
        Assert.Equal(4, EngineBench.Tokens(EngineBench.Read(good)).Length);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_TwentyChatsAboutOnePicture_EncodesOncePerTenant()
    {
        using var bench = new EngineBench();
        var live = Enumerable.Range(0, 20).Select(i => bench.Submit(Of("a", 3, Image(7, 6), Text(i % 30)))).ToList();
        live.AddRange(Enumerable.Range(0, 5).Select(i => bench.Submit(Of("b", 3, Image(7, 6), Text(i)))));
        bench.RunToEnd();
        Assert.Equal(2, bench.Runner.Encoded);
        Assert.All(live, request => Assert.Null(EngineBench.Read(request)[^1].Failure));
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_RepeatedPrompt_IsFoundForTheSameSaltOnly()
    {
        using var bench = new EngineBench();
        int CachedFor(string tenant)
        {
            var live = bench.Submit(Of(tenant, 2, Text([.. Enumerable.Range(0, 12)])));
            bench.RunToEnd();
            return EngineBench.Read(live)[^1].Usage!.CachedTokens;
        }

        Assert.Equal(0, CachedFor("a"));
        // Twelve tokens are three blocks; the last is computed again, for its logits.
        Assert.Equal(8, CachedFor("a"));
        Assert.Equal(0, CachedFor("b"));
        Assert.True(bench.Core.Erase("a", new HashSet<ContentDigest>()).Blocks > 0);
        Assert.Equal(0, CachedFor("a"));
        Assert.Equal(8, CachedFor("b"));
    }

    [Fact]
    public void Step_Choices_ComputeTheirPromptOnce()
    {
        using var bench = new EngineBench();
        var prompt = Text([.. Enumerable.Range(0, 16)]);
        bench.Submit(Of("a", 1, prompt).With(s => s with { Choices = 3, Temperature = 1, Seed = 5 }));
        bench.RunToEnd();
        // The whole prompt once, and its last block for each of the other two.
        Assert.Equal(16 + 4 + 4, bench.Core.ComputedTokens);
    }

    [Fact]
    public void Step_WhenTheReaderDoesNotRead_PausesThenAborts()
    {
        using var bench = new EngineBench(new EngineOptions { BlockSize = 4, KvBlocks = 64, UpdateBuffer = 3, MaxTokensPerStep = 80 });
        var unread = bench.Submit(Of("a", 40, Text(1, 2)).With(s => s with { IgnoreEos = true }));
        for (var i = 0; i < 8; i++)
        {
            bench.Core.Step();
        }

        Assert.Equal(3, unread.Unread);
        Assert.Equal(StepOutcome.Stalled, bench.Core.Step());
        Assert.True(unread.Updates.TryRead(out _));
        Assert.Equal(StepOutcome.Worked, bench.Core.Step());
        bench.Core.Step();
        bench.Time.Advance(bench.Options.UnreadTimeout);
        Assert.Equal(StepOutcome.Idle, bench.Core.Step());
        Assert.Equal(FailureKind.Unread, EngineBench.Read(unread)[^1].Failure!.Kind);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_AfterTheDeadline_DropsTheRequestAndKeepsWhatItHasGiven()
    {
        using var bench = new EngineBench();
        var late = bench.Submit(Of("a", 40, Text(1, 2)).With(s => s with { IgnoreEos = true }) with { Deadline = bench.Time.GetUtcNow().AddSeconds(1) });
        bench.Step();
        bench.Step();
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Step();
        var updates = EngineBench.Read(late);
        Assert.Equal([null, null, FinishReason.Failed], updates.Select(u => u.Finish));
        Assert.Equal((FailureKind.DeadlineExceeded, 2), (updates[^1].Failure!.Kind, updates[^1].Usage!.CompletionTokens));
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void TryCreate_WhatCanNeverFit_IsRefusedAtOnceWithTheNumbers()
    {
        using var bench = new EngineBench();
        Assert.Equal(
            "prompt and max_tokens must be <= 256 tokens (the KV cache) together; were 10 + 250.",
            bench.Refuse(Of("a", 250, Text([.. Enumerable.Range(0, 10)])))!.Message);
        Assert.Equal(
            "prompt and max_tokens must be <= 256 tokens (the KV cache) together; were 4294967294 + 1.",
            bench.Refuse(Of("a", 1, Image(1, int.MaxValue), Image(2, int.MaxValue)))!.Message);
        Assert.Equal("tenant salt must be >= 16 bytes; was 0.", bench.Refuse(Of("a", 1, Text(1)) with { Tenant = new EngineTenant("a", default) })!.Message);
        Assert.Equal("an image must be <= 32 tokens (the image cache); was 33.", bench.Refuse(Of("a", 1, Image(1, 33)))!.Message);
        Assert.Equal("prompt must have at least 1 token; had 0.", bench.Refuse(Of("a", 1))!.Message);
        Assert.Equal("prompt ids must be from 0 to 39 and not 39; one was 39.", bench.Refuse(Of("a", 1, Text(ImageToken)))!.Message);
        Assert.Equal(RejectionReason.AdapterMissing, bench.Refuse(Of("a", 1, Text(1)) with { Adapter = ContentDigest.Of("x"u8) })!.Reason);
        Assert.Equal("n must be >= 1 and <= 8; was 9.", bench.Refuse(Of("a", 1, Text(1)).With(s => s with { Choices = 9 }))!.Message);
    }

    [Fact]
    public void Step_WhenPoisonedRequestsComeOneByOne_FailsThemAndGoesOn()
    {
        using var bench = new EngineBench();
        bench.Runner.PoisonToken = Poison;
        for (var i = 0; i < 5; i++)
        {
            var bad = bench.Submit(Of("a", 4, Text(i, Poison)));
            bench.RunToEnd();
            Assert.Equal(FailureKind.Poisoned, EngineBench.Read(bad)[^1].Failure!.Kind);
        }

        Assert.False(bench.Core.IsFaulted);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenTheDeviceIsLostWhileOnlyImagesAreEncoded_FailsRetryablyAndGivesUp()
    {
        using var bench = new EngineBench();
        bench.Runner.OnDevice = () => throw new InvalidOperationException("device lost");
        var lost = bench.Submit(Of("a", 4, Image(1, 4)));
        bench.RunToEnd();
        Assert.Equal(FailureKind.DeviceFault, EngineBench.Read(lost)[^1].Failure!.Kind);
        Assert.True(bench.Core.IsFaulted);
        var late = bench.Submit(Of("a", 4, Text(1)));
        Assert.Equal(FailureKind.DeviceFault, EngineBench.Read(late)[^1].Failure!.Kind);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenADecoderThrows_FailsThatRequestOnly()
    {
        var broken = true;
        using var bench = new EngineBench(model: Requests.Model with { CreateDecoder = () => new Decoder(broken) });
        var bad = bench.Submit(Of("a", 4, Text(1, 2)).With(s => s with { Choices = 2 }));
        broken = false;
        var good = bench.Submit(Of("a", 4, Text(1, 2)));
        bench.RunToEnd();
        Assert.Equal([FailureKind.Poisoned, FailureKind.Poisoned], EngineBench.Read(bad).Select(u => u.Failure?.Kind));
        Assert.Null(EngineBench.Read(good)[^1].Failure);
        bench.AssertNothingIsHeld();
    }

    [Fact]
    public void Step_WhenADecoderThrowsAtTheEndOfAnAnswer_StillClosesTheStream()
    {
        using var bench = new EngineBench(model: Requests.Model with { CreateDecoder = () => new Decoder(brokenAtEnd: true) });
        var bad = bench.Submit(Of("a", 1, Text(1, 2)));
        bench.RunToEnd();
        Assert.Equal(FailureKind.Poisoned, Assert.Single(EngineBench.Read(bad)).Failure!.Kind);
        Assert.True(bad.IsDone);
        bench.AssertNothingIsHeld();
    }

    private sealed class Decoder(bool broken = false, bool brokenAtEnd = false) : ITextDecoder
    {
        public string Append(int token) => broken ? throw new InvalidOperationException("broken decoder") : "x";

        public string Finish() => brokenAtEnd ? throw new InvalidOperationException("broken decoder") : "";
    }

    private static Func<SamplingOptions, SamplingOptions> Never(int token) =>
        s => s with { LogitBias = [new(token, -100)] };
}
