using System.Net.ServerSentEvents;
using System.Text.Json;
using LlavaCluster.Cluster.Tests.Support;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cluster.Tests.Training;

/// <summary>A client of fine-tuning jobs that turns to another front where one does not answer.</summary>
/// <param name="fronts">Whom to ask at an attempt, from 0.</param>
internal sealed class JobClient(Func<int, HttpClient> fronts, CancellationToken stop)
{
    public const string Model = "a_llava15";

    private const int Records = 160;

    /// <summary>The body of a job's request that trains on what it uploads.</summary>
    public Task<string> UploadAsync(int epochs = 4) => UploadAsync($"\"n_epochs\":{epochs},\"batch_size\":6,\"micro_batch\":1,\"learning_rate\":0.003,\"rank\":4,\"dropout\":0.1");

    /// <param name="hyperparameters">Fields in JSON.</param>
    public async Task<string> UploadAsync(string hyperparameters)
    {
        var (data, images) = (await UploadAsync("data.json", PictureData.Records(Records)), await UploadAsync("pictures.zip", PictureData.Zip()));
        return $$$$$"""
            {"model":"{{{{{Model}}}}}","training_file":"{{{{{data}}}}}","images_file":"{{{{{images}}}}}","suffix":"kills","max_trainers":2,"checkpoint_every":15,
             "method":{"type":"supervised","supervised":{"hyperparameters":{ {{{{{hyperparameters}}}}} }}}}
            """;
    }

    /// <param name="front">Null: whichever answers.</param>
    public async Task<string> CreateAsync(string body, Node? front = null)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await (front?.Http ?? fronts(0)).PostAsync("/v1/fine_tuning/jobs", content, stop);
        return (await ReadAsync(response)).GetProperty("id").GetString()!;
    }

    /// <summary>Returns when so many steps are reported, or the job has ended.</summary>
    public async Task ReachesAsync(string job, long step)
    {
        await foreach (var line in WatchAsync(job))
        {
            if (IsMetrics(line) && StepOf(line) >= step)
            {
                return;
            }
        }
    }

    /// <summary>The job when it has succeeded, and its events from the first on.</summary>
    public async Task<(JsonElement Job, IReadOnlyList<JsonElement> Events)> FinishAsync(string job)
    {
        var events = new List<JsonElement>();
        await foreach (var line in WatchAsync(job))
        {
            events.Add(line);
        }

        var info = JsonDocument.Parse(await AskAsync(http => http.GetStringAsync($"/v1/fine_tuning/jobs/{job}", stop))).RootElement;
        Assert.True(info.GetProperty("status").GetString() == "succeeded", $"{info}");
        return (info, events);
    }

    /// <summary>The adapter that a job made, as a safetensors file.</summary>
    public Task<byte[]> AdapterAsync(JsonElement job) => AskAsync(http => http.GetByteArrayAsync($"/v1/adapters/kills/versions/{Version(job)}/content", stop));

    /// <summary>Events from the first on, as they happen; a connection that ends before the job does goes on after the last event, at whichever front answers.</summary>
    public async IAsyncEnumerable<JsonElement> WatchAsync(string job)
    {
        string? last = null;
        while (true)
        {
            using var response = await AskAsync(async http =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/fine_tuning/jobs/{job}/events?stream=true");
                if (last is not null)
                {
                    request.Headers.Add("Last-Event-ID", last);
                }

                return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            });
            Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {(response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(stop))}");
            await using var body = await response.Content.ReadAsStreamAsync(stop);
            await foreach (var sent in SseParser.Create(body).EnumerateAsync(stop))
            {
                if (sent.Data == "[DONE]")
                {
                    yield break;
                }

                last = sent.EventId ?? last;
                var line = JsonDocument.Parse(sent.Data).RootElement;
                if (line.TryGetProperty("type", out _))
                {
                    yield return line;
                }
            }
        }
    }

    public static bool IsMetrics(JsonElement line) => line.GetProperty("type").GetString() == "metrics";

    public static long StepOf(JsonElement line) => line.GetProperty("data").GetProperty("step").GetInt64();

    public static string? Version(JsonElement job) => job.GetProperty("result").GetProperty("version").GetString();

    private async Task<string> UploadAsync(string name, byte[] content)
    {
        using var form = new MultipartFormDataContent { { new StringContent("fine-tune"), "purpose" }, { new ByteArrayContent(content), "file", name } };
        using var response = await fronts(0).PostAsync("/v1/files", form, stop);
        return (await ReadAsync(response)).GetProperty("id").GetString()!;
    }

    // A front that was just started may not know yet that another is dead; its client asks again.
    private async Task<T> AskAsync<T>(Func<HttpClient, Task<T>> ask)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await ask(fronts(attempt));
            }
            catch (HttpRequestException fault) when (attempt < 10)
            {
                TestContext.Current.SendDiagnosticMessage($"asked again: {fault.Message}");
            }
        }
    }

    private async Task<JsonElement> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync(stop);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }
}
