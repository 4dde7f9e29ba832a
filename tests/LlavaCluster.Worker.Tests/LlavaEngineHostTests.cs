using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;
using LlavaCluster.Storage.Objects;
using LlavaCluster.TestSupport;
using LlavaCluster.Worker.Serving;
using Microsoft.Extensions.Logging.Abstractions;
using FinishReason = LlavaCluster.Abstractions.Chat.FinishReason;

namespace LlavaCluster.Worker.Tests;

/// <summary>Messages and stored pictures in, tokens out, on the golden checkpoints: the worker's whole path without the cluster around it.</summary>
public sealed class LlavaEngineHostTests : IAsyncDisposable
{
    private const int GoldenTokens = 24;

    private readonly string _folder = Directory.CreateTempSubdirectory("llava-worker-").FullName;
    private readonly DataDirectory _data;
    private readonly DirectoryObjectStore _objects;
    private readonly List<LlavaEngineHost> _hosts = [];

    public LlavaEngineHostTests()
    {
        _data = DataDirectory.Open(Path.Combine(_folder, "data"));
        _objects = new DirectoryObjectStore(Path.Combine(_folder, "objects"), null);
    }

    [Theory]
    [InlineData("a_llava15", "bare")]
    [InlineData("b_llava_gqa_bf16", "bare")]
    [InlineData("c_llava_next", "mistral_instruct")]
    public async Task Generate_OfTheGoldenConversations_DrawsTheGoldenIds(string checkpoint, string template)
    {
        var host = await StartAsync(checkpoint, template);
        foreach (var prompt in Prompts(checkpoint))
        {
            var request = await RequestAsync(checkpoint, prompt);

            var updates = await CollectAsync(host, request);

            Assert.Equal(Expected(checkpoint, prompt.Name), Tokens(updates));
            Assert.Equal(prompt.Value.GetProperty("input_ids").GetArrayLength(), updates[^1].Usage!.PromptTokens);
            Assert.True(updates[^1].Completed);
        }
    }

    /// <summary>The last one's adapter changes the vision tower too.</summary>
    [Theory]
    [InlineData("a_llava15", "bare")]
    [InlineData("b_llava_gqa_bf16", "bare")]
    [InlineData("c_llava_next", "mistral_instruct")]
    public async Task Generate_OfTheGoldenConversationsWithTheirAdapter_DrawsItsGoldenIdsBesideTheBases(string checkpoint, string template)
    {
        var host = await StartAsync(checkpoint, template);
        var packed = Path.Combine(_folder, "adapter");
        AdapterFile.Pack(Goldens.Path(checkpoint, "adapter"), packed);
        var bytes = await File.ReadAllBytesAsync(packed, TestContext.Current.CancellationToken);
        var adapter = ObjectId.Of(bytes);
        Assert.Null(await _objects.PutAsync(TenantId.Default, adapter, bytes, TestContext.Current.CancellationToken));
        var expected = Json(checkpoint, "meta.json").GetProperty("lora").GetProperty("greedy_ids");
        foreach (var prompt in Prompts(checkpoint))
        {
            var request = await RequestAsync(checkpoint, prompt);

            var answers = await Task.WhenAll(CollectAsync(host, request), CollectAsync(host, request with { Adapter = adapter }));

            Assert.Equal(Expected(checkpoint, prompt.Name), Tokens(answers[0]));
            Assert.Equal(expected.GetProperty(prompt.Name).EnumerateArray().Select(id => id.GetInt32()), Tokens(answers[1]));
        }
    }

    [Fact]
    public async Task Generate_OfManyAtOnce_DrawsWhatEachDrawsAlone()
    {
        var host = await StartAsync("a_llava15", "bare");
        var prompts = Prompts("a_llava15");
        var requests = new List<(string Name, GenerateRequest Request)>();
        for (var i = 0; i < 12; i++)
        {
            requests.Add((prompts[i % 3].Name, await RequestAsync("a_llava15", prompts[i % 3])));
        }

        var answers = await Task.WhenAll(requests.Select(async pair => (pair.Name, Updates: await CollectAsync(host, pair.Request))));

        Assert.All(answers, answer => Assert.Equal(Expected("a_llava15", answer.Name), Tokens(answer.Updates)));
    }

    [Fact]
    public async Task Generate_AfterJournaledTokens_GoesOnToTheSameTextAtEveryPlace()
    {
        var host = await StartAsync("a_llava15", "bare");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[0]);
        request = request with { Options = request.Options with { Temperature = 0.8, Seed = 11, RepetitionPenalty = 1.1 } };
        var whole = await CollectAsync(host, request);
        var tokens = Tokens(whole);
        for (var place = 0; place < tokens.Count; place++)
        {
            var said = whole.Where(update => update.Token >= 0).Take(place).ToList();

            var rest = await CollectAsync(host, request with { Journal = [[.. said.Select(update => update.Token)]] });

            Assert.Equal(tokens.Skip(place), Tokens(rest));
            Assert.Equal(Text(whole), Text(said) + Text(rest));
        }
    }

    [Fact]
    public async Task Status_AfterWork_IsReadyAndNothingWaits()
    {
        var host = await StartAsync("a_llava15", "bare");
        await CollectAsync(host, await RequestAsync("a_llava15", Prompts("a_llava15")[1]));
        await host.DrainAsync(TestContext.Current.CancellationToken);

        Assert.Equal((true, 0), (host.Status.Ready, host.Status.Waiting));
    }

    [Fact]
    public async Task Generate_AfterAFinishedChoice_SaysNothingMoreOfIt()
    {
        var host = await StartAsync("a_llava15", "bare");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[0]);
        request = request with { Options = request.Options with { Choices = 2, Temperature = 0.8 }, Journal = [[], []] };
        var whole = await CollectAsync(host, request);
        var said = Enumerable.Range(0, 2).Select(choice => Tokens(whole.Where(update => update.Choice == choice))).ToArray();

        var rest = await CollectAsync(host, request with { Journal = [[.. said[0]], [.. said[1].Take(9)]], Finished = [FinishReason.Length, null] });

        Assert.Equal(said[1].Skip(9), Tokens(rest));
        Assert.All(rest.Where(update => !update.Completed && update.Usage is null), update => Assert.Equal(1, update.Choice));
    }

    [Fact]
    public async Task Generate_WhenTheEngineStops_LeavesTheChoiceOpenForAnotherWorker()
    {
        var host = await StartAsync("a_llava15", "bare");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[0]);
        request = request with { Options = request.Options with { MaxTokens = 900 } };
        var updates = new List<GenerateUpdate>();
        await foreach (var update in host.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            updates.Add(update);
            if (updates.Count == 5)
            {
                await host.DisposeAsync();
            }
        }

        Assert.InRange(Tokens(updates).Count, 4, 899);
        Assert.All(updates, update => Assert.Null(update.Finish));
        Assert.Equal(ChatFailureKind.ModelUnavailable, updates[^1].Failure?.Kind);
    }

    [Fact]
    public async Task Generate_OfAPromptOverTheContext_NamesBoundAndValue()
    {
        var host = await StartAsync("a_llava15", "bare");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[1]);

        var updates = await CollectAsync(host, request with { Messages = [new ChatMessage(ChatRole.User, [MessagePart.OfText(string.Concat(Enumerable.Repeat("zebra ", 2000)))])] });

        var failure = Assert.Single(updates).Failure!;
        Assert.Equal(ChatFailureKind.ContextExceeded, failure.Kind);
        Assert.StartsWith("The prompt must be < 1024 tokens; was ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_WhileTheEngineDrains_IsRefusedBeforeItsPicturesAreLookedUp()
    {
        var host = await StartAsync("a_llava15", "bare");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[1]);
        await host.DrainAsync(TestContext.Current.CancellationToken);

        var updates = await CollectAsync(host, request with { Messages = [User("What is this?", ImageId.Of([1]))] });

        Assert.Equal(new ChatFailure(ChatFailureKind.ModelUnavailable, "The engine is draining."), Assert.Single(updates).Failure);
    }

    [Fact]
    public async Task Generate_OfATemplateWithStopTexts_LeavesThemOutOfTheClientsFour()
    {
        var host = await StartAsync("a_llava15", "v0");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[1]);
        request = request with { Options = request.Options with { MaxTokens = 4, IgnoreEos = false, Stop = ["1", "2", "3", "4"] } };

        var updates = await CollectAsync(host, request);

        Assert.Null(updates[^1].Failure);
        Assert.True(updates[^1].Completed);
    }

    /// <summary>What no header tells: the file is well formed, and its pixels end before the picture does.</summary>
    [Fact]
    public async Task Generate_OfAPictureWhosePixelsAreCutOff_SaysSo()
    {
        var host = await StartAsync("a_llava15", "bare");
        var request = await RequestAsync("a_llava15", Prompts("a_llava15")[1]);
        // Two by two pixels, of which the codes give one: clear, colour 0, end.
        byte[] file = [.. "GIF89a"u8, 2, 0, 2, 0, 0x80, 0, 0, 255, 0, 0, 0, 0, 255, 0x2C, 0, 0, 0, 0, 2, 0, 2, 0, 0, 2, 2, 0x44, 0x01, 0, 0x3B];
        var image = ImageId.Of(file);
        Assert.Null(await _objects.PutAsync(TenantId.Default, image.Object, file, TestContext.Current.CancellationToken));

        var updates = await CollectAsync(host, request with { Messages = [User("What is this?", image)] });

        Assert.Equal(new ChatFailure(ChatFailureKind.InvalidRequest, "messages: a picture must be a whole GIF file; its pixels are cut off.", "messages"), updates[^1].Failure);
        Assert.True(updates[^1].Completed);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        _data.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<LlavaEngineHost> StartAsync(string checkpoint, string template)
    {
        var options = new WorkerOptions { ModelFolder = Goldens.Path(checkpoint), Template = template, Threads = 1, KvBytes = 1 << 24 };
        var host = new LlavaEngineHost(new ModelLoading(options, TimeProvider.System), _objects, _data, TimeProvider.System, new EngineInstruments(), NullLoggerFactory.Instance);
        _hosts.Add(host);
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    private async Task<GenerateRequest> RequestAsync(string checkpoint, JsonProperty prompt)
    {
        var images = new List<ImageId>();
        foreach (var name in prompt.Value.GetProperty("images").EnumerateArray())
        {
            var bytes = await File.ReadAllBytesAsync(Goldens.Path("images", name.GetString() + ".png"), TestContext.Current.CancellationToken);
            images.Add(ImageId.Of(bytes));
            Assert.Null(await _objects.PutAsync(TenantId.Default, images[^1].Object, bytes, TestContext.Current.CancellationToken));
        }

        return new GenerateRequest
        {
            Tenant = TenantId.Default,
            TurnId = Guid.NewGuid(),
            Model = checkpoint,
            Messages = Messages(prompt.Name, images),
            Options = new GenerationOptions { MaxTokens = GoldenTokens, Seed = 0, Temperature = 0, IgnoreEos = true },
            Journal = [[]],
        };
    }

    private static ImmutableArray<ChatMessage> Messages(string prompt, List<ImageId> images) => prompt switch
    {
        "image" => [User("What is shown here?", images[0])],
        "text" => [User("Name three colours.")],
        _ => [User("What is this?", images[0]), new ChatMessage(ChatRole.Assistant, [MessagePart.OfText("A red box.")]), User("And this one?", images[1])],
    };

    private static ChatMessage User(string text, ImageId? image = null) =>
        new(ChatRole.User, image is { } id ? [MessagePart.OfImage(id), MessagePart.OfText(text)] : [MessagePart.OfText(text)]);

    private static async Task<List<GenerateUpdate>> CollectAsync(LlavaEngineHost host, GenerateRequest request)
    {
        var updates = new List<GenerateUpdate>();
        await foreach (var update in host.GenerateAsync(request, TestContext.Current.CancellationToken))
        {
            updates.Add(update);
        }

        return updates;
    }

    private static List<int> Tokens(IEnumerable<GenerateUpdate> updates) => [.. updates.Where(update => update.Token >= 0).Select(update => update.Token)];

    private static string Text(IEnumerable<GenerateUpdate> updates) => string.Concat(updates.Select(update => update.Text));

    private static List<JsonProperty> Prompts(string checkpoint) => [.. Json(checkpoint, "prompts.json").EnumerateObject()];

    private static List<int> Expected(string checkpoint, string prompt) =>
        [.. Json(checkpoint, "generate.json").GetProperty(prompt).GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];

    private static JsonElement Json(string checkpoint, string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path(checkpoint, "expected", file)));
        return document.RootElement.Clone();
    }
}
