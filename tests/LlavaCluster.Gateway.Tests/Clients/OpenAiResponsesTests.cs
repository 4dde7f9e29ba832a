using System.ClientModel;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Tests.Fakes;
using OpenAI.Responses;

namespace LlavaCluster.Gateway.Tests.Clients;

/// <summary>The responses half of OpenAI's own .NET client against the real gateway: state on the server.</summary>
public sealed class OpenAiResponsesTests : IAsyncLifetime
{
    private const string Model = "llava-test";
    private GatewayServer _server = null!;
    private ResponsesClient _responses = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        var options = new ResponsesClientOptions { Endpoint = new Uri(_server.Address, "/v1"), RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0) };
        _responses = new ResponsesClient(new ApiKeyCredential("none"), options);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Response_WithPictureAndInstructions_IsKeptAndFollowed()
    {
        var picture = ResponseContentPart.CreateInputImagePart(new Uri(TestImages.DataUrl(TestImages.Png())));
        var first = new CreateResponseOptions(Model, [ResponseItem.CreateUserMessageItem([ResponseContentPart.CreateInputTextPart("What is it?"), picture])]) { Instructions = "Be brief." };
        ResponseResult answer = await _responses.CreateResponseAsync(first, Cancel);
        ResponseResult next = await _responses.CreateResponseAsync(Model, "And its colour?", answer.Id, Cancel);
        ResponseResult kept = await _responses.GetResponseAsync(next.Id, Cancel);

        Assert.Equal((ResponseStatus.Completed, "A red apple."), (answer.Status, answer.GetOutputText()));
        Assert.Equal((20, 4, 3, 23), (answer.Usage.InputTokenCount, answer.Usage.InputTokenDetails.CachedTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount));
        Assert.Equal((answer.Id, "A red apple."), (kept.PreviousResponseId, kept.GetOutputText()));
        var turns = Assert.Single(_server.Grains.Conversations).Value.Requests;
        Assert.Equal(["Be brief.", "What is it?", null], turns[0].Messages.SelectMany(message => message.Parts).Select(part => part.Text));
        Assert.Equal(ImageId.Of(TestImages.Png()), turns[0].Messages[1].Parts[1].Image);
        Assert.Equal((turns[0].TurnId, "And its colour?"), (turns[1].Parent, turns[1].Messages[0].Parts[0].Text));
    }

    [Fact]
    public async Task Response_Streamed_BringsItsDeltasInOrder()
    {
        var updates = await (await _responses.CreateResponseStreamingAsync(Model, "What is it?", cancellationToken: Cancel)).ToArrayAsync(Cancel);
        Assert.Equal(["A ", "red ", "apple."], updates.OfType<StreamingResponseOutputTextDeltaUpdate>().Select(update => update.Delta));
        Assert.Equal("A red apple.", Assert.Single(updates.OfType<StreamingResponseCompletedUpdate>()).Response.GetOutputText());
        Assert.Equal(Enumerable.Range(0, 4), updates.Take(4).Select(update => update.SequenceNumber));
        Assert.Equal(updates.Select(update => update.SequenceNumber).Order(), updates.Select(update => update.SequenceNumber));
    }

    [Fact]
    public async Task Response_InTheBackground_CanBeCancelledAndDeleted()
    {
        _server.Script.Gated = true;
        var asked = new CreateResponseOptions(Model, [ResponseItem.CreateUserMessageItem("What is it?")]) { BackgroundModeEnabled = true };
        ResponseResult running = await _responses.CreateResponseAsync(asked, Cancel);
        Assert.Equal(ResponseStatus.InProgress, running.Status);
        await _responses.CancelResponseAsync(running.Id, Cancel);
        Assert.True((await _server.Script.Cancellations.Reader.ReadAsync(Cancel)).Running);
        Assert.True((await _responses.DeleteResponseAsync(running.Id, Cancel)).Value.Deleted);
        var gone = await Assert.ThrowsAsync<ClientResultException>(() => _responses.GetResponseAsync(running.Id, Cancel));
        Assert.Equal(404, gone.Status);
    }

    [Fact]
    public async Task Response_ThatIsUnknown_IsNotFound()
    {
        var fault = await Assert.ThrowsAsync<ClientResultException>(() => _responses.CreateResponseAsync(Model, "hi", "resp_none", Cancel));
        Assert.Equal(404, fault.Status);
        Assert.Contains("There is no such response.", fault.Message, StringComparison.Ordinal);
    }
}
