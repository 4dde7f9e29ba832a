using System.ClientModel;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Tests.Fakes;
using OpenAI;
using OpenAI.Chat;

namespace LlavaCluster.Gateway.Tests.Clients;

/// <summary>OpenAI's own .NET client against the real gateway.</summary>
public sealed class OpenAiSdkTests : IAsyncLifetime
{
    private GatewayServer _server = null!;
    private ChatClient _chat = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        var options = new OpenAIClientOptions { Endpoint = new Uri(_server.Address, "/v1"), RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0) };
        _chat = new ChatClient("llava-test", new ApiKeyCredential("none"), options);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Complete_WithPictureAndJsonFormat_ReachesTheTurnAndAnswers()
    {
        var png = TestImages.Png();
        var message = new UserChatMessage(ChatMessageContentPart.CreateTextPart("What is it?"), ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(png), "image/png"));
        var options = new ChatCompletionOptions { Temperature = 0.5f, MaxOutputTokenCount = 9, ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat() };
        ChatCompletion answer = await _chat.CompleteChatAsync([message], options, Cancel);
        Assert.Equal(("A red apple.", ChatFinishReason.Stop), (answer.Content[0].Text, answer.FinishReason));
        Assert.Equal((20, 3, 23, 4), (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount, answer.Usage.InputTokenDetails.CachedTokenCount));
        var asked = _server.Script.Last;
        Assert.Equal(["What is it?", null], asked.Messages[0].Parts.Select(part => part.Text));
        Assert.Equal(ImageId.Of(png), asked.Messages[0].Parts[1].Image);
        Assert.Equal((0.5, 9, ConstraintKind.JsonSchema), (asked.Options.Temperature, asked.Options.MaxTokens, asked.Options.Constraint!.Kind));
    }

    [Fact]
    public async Task Complete_WithEverySamplingOption_PassesItOnAndReadsLogprobs()
    {
        var options = new ChatCompletionOptions
        {
            IncludeLogProbabilities = true, TopLogProbabilityCount = 2, FrequencyPenalty = 0.5f, PresencePenalty = -0.5f, TopP = 0.25f,
            StopSequences = { "END", "\n" }, LogitBiases = { [7] = -100 }, Seed = 42,
        };
        ChatCompletion answer = await _chat.CompleteChatAsync([new SystemChatMessage("Be brief."), new UserChatMessage("What is it?")], options, Cancel);
        Assert.Equal(["A ", "red ", "apple."], answer.ContentTokenLogProbabilities.Select(token => token.Token));
        Assert.Equal((-0.25f, "t0", 2), (answer.ContentTokenLogProbabilities[0].LogProbability, answer.ContentTokenLogProbabilities[0].TopLogProbabilities[0].Token, answer.ContentTokenLogProbabilities[0].TopLogProbabilities.Count));
        var asked = _server.Script.Last.Options;
        Assert.Equal((2, 0.5, -0.5, 0.25, 42UL, -100f), (asked.TopLogprobs, asked.FrequencyPenalty, asked.PresencePenalty, asked.TopP, asked.Seed, asked.LogitBias[7]));
        Assert.Equal(["END", "\n"], asked.Stop);
    }

    [Fact]
    public async Task Complete_ThatIsCutShort_SaysLength()
    {
        _server.Script.Finish = FinishReason.Length;
        ChatCompletion answer = await _chat.CompleteChatAsync([new UserChatMessage("What is it?")], cancellationToken: Cancel);
        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
    }

    [Fact]
    public async Task Stream_BringsEveryPieceFinishAndUsage()
    {
        var updates = await _chat.CompleteChatStreamingAsync([new UserChatMessage("What is it?")], cancellationToken: Cancel).ToArrayAsync(Cancel);
        Assert.Equal(["A ", "red ", "apple."], updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text).Where(text => text.Length > 0));
        Assert.Equal(ChatFinishReason.Stop, updates.Single(update => update.FinishReason is not null).FinishReason);
        Assert.Equal(23, updates.Single(update => update.Usage is not null).Usage.TotalTokenCount);
    }

    [Theory]
    [InlineData(ChatFailureKind.InvalidRequest, 400)]
    [InlineData(ChatFailureKind.ModelNotFound, 404)]
    [InlineData(ChatFailureKind.QuotaExceeded, 429)]
    [InlineData(ChatFailureKind.ModelUnavailable, 503)]
    public async Task Complete_ThatIsRefused_ThrowsWithStatusAndReason(ChatFailureKind kind, int status)
    {
        _server.Script.Refusal = new ChatFailure(kind, "The rule and the value.");
        var fault = await Assert.ThrowsAsync<ClientResultException>(() => _chat.CompleteChatAsync([new UserChatMessage("hi")], cancellationToken: Cancel));
        Assert.Equal(status, fault.Status);
        Assert.Contains("The rule and the value.", fault.Message, StringComparison.Ordinal);
    }
}
