using System.Net;
using System.Text.Json;
using LlavaCluster.Training.Evaluation;
using LlavaCluster.Training.Scenes;
using LlavaCluster.Training.Tests.Scenes;

namespace LlavaCluster.Training.Tests.Evaluation;

public sealed class ChatApiExamineeTests
{
    private readonly Scene _scene = new SceneRenderer(DrawnArtwork.Library).Render(SceneKey.Create(SceneSplit.Evaluation, 1, 0));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AnswerAsync_SendsThePictureAndTheQuestionAtTemperatureZero()
    {
        using var server = new Server(HttpStatusCode.OK, """{"choices":[{"message":{"content":"It is a dog."}}]}""");
        using var examinee = await ChatApiExaminee.ConnectAsync(server.Client(), "sk-test", 2, Token);

        var answer = await examinee.AnswerAsync(_scene, [], "What is this?", Token);

        Assert.Equal("It is a dog.", answer);
        Assert.Equal("Bearer sk-test", server.Authorization);
        using var body = JsonDocument.Parse(server.Body!);
        Assert.Equal("scenes", body.RootElement.GetProperty("model").GetString());
        Assert.Equal(0, body.RootElement.GetProperty("temperature").GetDouble());
        var content = body.RootElement.GetProperty("messages")[0].GetProperty("content");
        Assert.Equal("What is this?", content[1].GetProperty("text").GetString());
        var url = content[0].GetProperty("image_url").GetProperty("url").GetString()!;
        Assert.Equal(SceneImages.EncodePng(_scene), Convert.FromBase64String(url["data:image/png;base64,".Length..]));
    }

    [Fact]
    public async Task AnswerAsync_OfAFollowUp_SendsThePictureWithTheFirstQuestionAndWhatWasAnswered()
    {
        using var server = new Server(HttpStatusCode.OK, """{"choices":[{"message":{"content":"It is a cat."}}]}""");
        using var examinee = await ChatApiExaminee.ConnectAsync(server.Client(), null, 1, Token);

        await examinee.AnswerAsync(_scene, [new ExamTurn("What is this?", "It is a dog.")], "And what is left of it?", Token);

        using var body = JsonDocument.Parse(server.Body!);
        var messages = body.RootElement.GetProperty("messages");
        Assert.Equal(["user", "assistant", "user"], messages.EnumerateArray().Select(message => message.GetProperty("role").GetString()));
        Assert.Equal("What is this?", messages[0].GetProperty("content")[1].GetProperty("text").GetString());
        Assert.Equal("It is a dog.", messages[1].GetProperty("content").GetString());
        Assert.Equal("And what is left of it?", messages[2].GetProperty("content").GetString());
    }

    [Fact]
    public async Task AnswerAsync_WhenTheServerRefuses_SaysWhatItSaid()
    {
        using var server = new Server(HttpStatusCode.TooManyRequests, "slow down");
        using var examinee = await ChatApiExaminee.ConnectAsync(server.Client(), null, 1, Token);

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => examinee.AnswerAsync(_scene, [], "What is this?", Token));

        Assert.Equal("http://scenes.test/v1/chat/completions answered 429: slow down", refused.Message);
    }

    private sealed class Server(HttpStatusCode status, string answer) : HttpMessageHandler
    {
        public string? Body { get; private set; }

        public string? Authorization { get; private set; }

        public HttpClient Client() => new(this) { BaseAddress = new Uri("http://scenes.test/") };

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Method == HttpMethod.Get)
            {
                return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("""{"data":[{"id":"scenes"}]}""") };
            }

            Body = await request.Content!.ReadAsStringAsync(cancellationToken);
            Authorization = request.Headers.Authorization?.ToString();
            return new HttpResponseMessage(status) { Content = new StringContent(answer) };
        }
    }
}
