using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Evaluation;

/// <summary>A model behind an OpenAI-compatible API: every question is one chat completion with the picture as a data URL, at temperature 0.</summary>
public sealed class ChatApiExaminee : IExaminee
{
    private const int MostNewTokens = 160;
    private readonly HttpClient _http;
    private readonly string _model;

    private ChatApiExaminee(HttpClient http, string model, int concurrency)
    {
        _http = http;
        _model = model;
        Concurrency = concurrency;
    }

    public int Concurrency { get; }

    /// <param name="http">With the server's root as its base address; owned by the result.</param>
    /// <param name="key">API key; null where none is needed.</param>
    /// <param name="concurrency">Requests under way at once.</param>
    /// <param name="cancellationToken">Stops the listing of models.</param>
    /// <exception cref="InvalidOperationException">The server has no model.</exception>
    /// <exception cref="HttpRequestException">It can't be reached or refused.</exception>
    public static async Task<ChatApiExaminee> ConnectAsync(HttpClient http, string? key, int concurrency, CancellationToken cancellationToken)
    {
        if (key is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        var models = await http.GetFromJsonAsync<JsonElement>("v1/models", cancellationToken).ConfigureAwait(false);
        var first = models.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()).FirstOrDefault();
        return new ChatApiExaminee(http, first ?? throw new InvalidOperationException($"{http.BaseAddress} lists no model."), concurrency);
    }

    public async Task<string> AnswerAsync(Scene scene, IReadOnlyList<ExamTurn> before, string question, CancellationToken cancellationToken)
    {
        var picture = $"data:image/png;base64,{Convert.ToBase64String(SceneImages.EncodePng(scene))}";
        var body = new
        {
            model = _model,
            temperature = 0,
            max_tokens = MostNewTokens,
            messages = Messages(picture, before, question),
        };
        using var response = await _http.PostAsJsonAsync("v1/chat/completions", body, cancellationToken).ConfigureAwait(false);
        var text = await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"{_http.BaseAddress}v1/chat/completions answered {(int)response.StatusCode}: {text}", null, response.StatusCode);
        }

        using var answer = JsonDocument.Parse(text);
        return answer.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString() ?? "";
    }

    public void Dispose() => _http.Dispose();

    // The picture stands with the first question.
    private static List<object> Messages(string picture, IReadOnlyList<ExamTurn> before, string question)
    {
        string[] questions = [.. before.Select(turn => turn.Question), question];
        var messages = new List<object> { new { role = "user", content = new object[] { new { type = "image_url", image_url = new { url = picture } }, new { type = "text", text = questions[0] } } } };
        foreach (var (answered, next) in before.Zip(questions.Skip(1)))
        {
            messages.Add(new { role = "assistant", content = answered.Answer });
            messages.Add(new { role = "user", content = next });
        }

        return messages;
    }
}
