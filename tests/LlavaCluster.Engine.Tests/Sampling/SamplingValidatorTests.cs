using LlavaCluster.Engine.Sampling;

namespace LlavaCluster.Engine.Tests.Sampling;

public sealed class SamplingValidatorTests
{
    private const int Vocabulary = 100;
    private const int MaxTokens = 2048;

    public static TheoryData<string, SamplingOptions> Broken() => new()
    {
        { "temperature must be >= 0 and <= 2; was NaN.", new() { Temperature = double.NaN } },
        { "temperature must be >= 0 and <= 2; was -0.1.", new() { Temperature = -0.1 } },
        { "temperature must be >= 0 and <= 2; was Infinity.", new() { Temperature = double.PositiveInfinity } },
        { "top_p must be > 0 and <= 1; was 0.", new() { TopP = 0 } },
        { "top_p must be > 0 and <= 1; was NaN.", new() { TopP = double.NaN } },
        { "top_k must be >= 0 (0 keeps all); was -1.", new() { TopK = -1 } },
        { "min_p must be >= 0 and < 1; was 1.", new() { MinP = 1 } },
        { "repetition_penalty must be >= 0.01 and <= 10; was 0.", new() { RepetitionPenalty = 0 } },
        { "repetition_penalty must be >= 0.01 and <= 10; was 1E+300.", new() { RepetitionPenalty = 1e300 } },
        { "frequency_penalty must be >= -2 and <= 2; was -Infinity.", new() { FrequencyPenalty = double.NegativeInfinity } },
        { "presence_penalty must be >= -2 and <= 2; was 2.5.", new() { PresencePenalty = 2.5 } },
        { "n must be >= 1 and <= 8; was 16384.", new() { Choices = 16384 } },
        { "n must be >= 1 and <= 8; was 0.", new() { Choices = 0 } },
        { "max_tokens must be >= 1 and <= 2048; was 4096.", new() { MaxTokens = 4096 } },
        { "max_tokens must be >= 1 and <= 2048; was 0.", new() { MaxTokens = 0 } },
        { "top_logprobs must be >= 0 and <= 20; was 21.", new() { Logprobs = true, TopLogprobs = 21 } },
        { "logprobs must be true when top_logprobs is given; was false.", new() { TopLogprobs = 1 } },
        { "logit_bias must be keyed by token ids from 0 to 99; was 100.", new() { LogitBias = [new(100, 1)] } },
        { "logit_bias[5] must be >= -100 and <= 100; was NaN.", new() { LogitBias = [new(5, double.NaN)] } },
        { "logit_bias must be at most 1024 entries; was 1025.", new() { LogitBias = [.. Enumerable.Repeat(new TokenBias(1, 1), 1025)] } },
        { "logit_bias must be at most 1024 entries; was unset.", new() { LogitBias = default } },
        { "stop must be at most 4 texts; was 5.", new() { Stop = ["a", "b", "c", "d", "e"] } },
        { "stop[1] must be 1 to 256 characters; was 0.", new() { Stop = ["a", ""] } },
        { "stop[0] must be 1 to 256 characters; was 257.", new() { Stop = [new string('x', 257)] } },
        { "stop[0] must be 1 to 256 characters; was null.", new() { Stop = [null!] } },
        { "stop[0] must be well-formed Unicode; was a\uFFFD.", new() { Stop = ["a\uD800"] } },
    };

    [Theory]
    [MemberData(nameof(Broken), DisableDiscoveryEnumeration = true)]
    public void Validate_WhenOneRuleIsBroken_NamesFieldBoundAndValue(string message, SamplingOptions options) =>
        Assert.Equal([message], SamplingValidator.Validate(options, Vocabulary, MaxTokens).Select(violation => violation.Message));

    [Fact]
    public void Validate_WhenSeveralRulesAreBroken_ReportsAllInOrder()
    {
        var options = new SamplingOptions { Temperature = 9, TopP = 7, Choices = -3, Stop = [""] };
        Assert.Equal(["temperature", "top_p", "n", "stop[0]"], SamplingValidator.Validate(options, Vocabulary, MaxTokens).Select(violation => violation.Field));
    }

    [Fact]
    public void Validate_ForDefaultsAndForEveryBound_FindsNothing()
    {
        Assert.Empty(SamplingValidator.Validate(new SamplingOptions(), Vocabulary, MaxTokens));
        var extreme = new SamplingOptions
        {
            Temperature = 2, TopP = 1e-9, TopK = int.MaxValue, MinP = 0.999, RepetitionPenalty = 10, FrequencyPenalty = -2, PresencePenalty = 2,
            LogitBias = [new(0, -100), new(99, 100)], Seed = long.MinValue, Logprobs = true, TopLogprobs = 20, Choices = 8, MaxTokens = 2048,
            Stop = ["a", "b", "c", new string('\u00e9', 256)], IgnoreEos = true,
        };
        Assert.Empty(SamplingValidator.Validate(extreme, Vocabulary, MaxTokens));
    }
}
