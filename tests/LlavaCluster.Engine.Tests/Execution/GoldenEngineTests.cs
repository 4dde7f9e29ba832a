using System.Text.Json;
using LlavaCluster.Engine.Execution;
using LlavaCluster.Engine.Sampling;
using LlavaCluster.Model;
using LlavaCluster.Model.Vision;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;
using TorchSharp;

namespace LlavaCluster.Engine.Tests.Execution;

/// <summary>The whole engine on the reference checkpoints: its greedy answers are those of Hugging Face transformers (tests/goldens/README.md).</summary>
public sealed class GoldenEngineTests
{
    private static readonly string[] Prompts = ["image", "text", "two_images"];

    public static TheoryData<string> LlavaCheckpoints => ["a_llava15", "b_llava_gqa_bf16"];

    [Theory, MemberData(nameof(LlavaCheckpoints))]
    public async Task Submit_Greedy_GivesTheReferenceAloneTogetherAndFromTheCache(string checkpoint)
    {
        await using var host = await GoldenHost.StartAsync(checkpoint, new EngineOptions { BlockSize = 4, KvBlocks = 256, MaxTokensPerStep = 20, MaxRunningSequences = 8 });
        foreach (var prompt in Prompts)
        {
            Assert.Equal(host.Expected(prompt), await host.GenerateAsync(prompt));
        }

        var hits = host.Engine.GetStatus().PrefixHits;
        var answers = await Task.WhenAll(Prompts.Concat(Prompts.Reverse()).Select(p => host.GenerateAsync(p)));
        Assert.Equal(Prompts.Concat(Prompts.Reverse()).Select(host.Expected), answers);
        Assert.True(host.Engine.GetStatus().PrefixHits > hits, "A repeated prompt should be found in the prefix cache.");
    }

    [Theory, MemberData(nameof(LlavaCheckpoints))]
    public async Task Submit_WithTooFewBlocksForAll_PreemptsAndGivesTheReference(string checkpoint)
    {
        await using var host = await GoldenHost.StartAsync(checkpoint, new EngineOptions { BlockSize = 4, KvBlocks = 34, MaxTokensPerStep = 16, MaxRunningSequences = 8 });
        string[] prompts = [.. Prompts, .. Enumerable.Repeat("text", 6)];
        var answers = await Task.WhenAll(prompts.Select(p => host.GenerateAsync(p)));
        Assert.Equal(prompts.Select(host.Expected), answers);
        Assert.True(host.Engine.GetStatus().Preemptions > 0, "34 blocks do not hold nine answers.");
    }

    [Fact]
    public async Task Submit_ResumedAtEveryToken_ContinuesGreedyAndSeededAnswers()
    {
        await using var host = await GoldenHost.StartAsync("a_llava15", new EngineOptions { BlockSize = 4, KvBlocks = 256, MaxTokensPerStep = 64, MaxRunningSequences = 8 });
        foreach (var temperature in new[] { 0.0, 1.0 })
        {
            var whole = await host.GenerateAsync("image", temperature: temperature);
            for (var cut = 0; cut < whole.Length; cut++)
            {
                Assert.Equal(whole[cut..], await host.GenerateAsync("image", whole[..cut], temperature));
            }
        }
    }

    [Theory]
    [InlineData("a_llava15")]
    [InlineData("b_llava_gqa_bf16")]
    public async Task Submit_WithTheGoldenAdapter_GivesTheReferenceBesideTheBase(string checkpoint)
    {
        await using var host = await GoldenHost.StartAsync(checkpoint, new EngineOptions { BlockSize = 4, KvBlocks = 256, MaxTokensPerStep = 20, MaxRunningSequences = 8 });
        var digest = await host.LoadAdapterAsync();

        var answers = await Task.WhenAll(Prompts.Concat(Prompts).Select((prompt, i) => host.GenerateAsync(prompt, adapter: i < Prompts.Length ? digest : null)));

        Assert.Equal(Prompts.Select(host.ExpectedWithAdapter).Concat(Prompts.Select(host.Expected)), answers);
        Assert.Equal(Prompts.Select(host.ExpectedWithAdapter), await Task.WhenAll(Prompts.Select(prompt => host.GenerateAsync(prompt, adapter: digest))));
    }

    [Fact]
    public async Task Dispose_AfterWork_LeavesNoTensorBehind()
    {
        // Torch counts per thread, so the count is taken on the device thread.
        await using var device = new DeviceThread("count");
        var before = await device.RunAsync(() => DisposeScopeManager.Statistics.ThreadTotalLiveCount, TestContext.Current.CancellationToken);
        var host = await GoldenHost.StartAsync("a_llava15", new EngineOptions { BlockSize = 4, KvBlocks = 64, MaxTokensPerStep = 65 }, device);
        await host.GenerateAsync("two_images");
        await host.GenerateAsync("two_images", adapter: await host.LoadAdapterAsync());
        await host.DisposeAsync();
        Assert.Equal(before, await device.RunAsync(() => DisposeScopeManager.Statistics.ThreadTotalLiveCount, TestContext.Current.CancellationToken));
    }

    private sealed class GoldenHost : IAsyncDisposable
    {
        private readonly string _folder;
        private readonly DeviceThread _device;
        private readonly bool _ownsDevice;
        private readonly LlavaModel _model;
        private readonly EngineInstruments _instruments = new();
        private readonly JsonElement _prompts;
        private readonly JsonElement _expected;
        private readonly JsonElement _meta;

        private GoldenHost(string folder, DeviceThread device, bool ownsDevice, LlavaModel model)
        {
            (_folder, _device, _ownsDevice, _model) = (folder, device, ownsDevice, model);
            _prompts = Json(Goldens.Path(folder, "expected", "prompts.json"));
            _meta = Json(Goldens.Path(folder, "expected", "meta.json"));
            _expected = Json(Goldens.Path(folder, "expected", "generate.json"));
        }

        public LlmEngine Engine { get; private set; } = null!;

        public static async Task<GoldenHost> StartAsync(string folder, EngineOptions options, DeviceThread? device = null)
        {
            var own = device ?? new DeviceThread("golden");
            var model = await own.RunAsync(() =>
            {
                torch.set_num_threads(1);
                return LlavaModel.Load(Goldens.Path(folder), dtype: torch.ScalarType.Float32);
            });
            var host = new GoldenHost(folder, own, device is null, model);
            host.Engine = await LlmEngine.StartAsync(
                model.Network, Describe(model), options, own, TimeProvider.System, host._instruments, NullLogger<LlmEngine>.Instance);
            return host;
        }

        public int[] Expected(string prompt) => Ids(_expected.GetProperty(prompt).GetProperty("ids"));

        public int[] ExpectedWithAdapter(string prompt) => Ids(_meta.GetProperty("lora").GetProperty("greedy_ids").GetProperty(prompt));

        public async Task<ContentDigest> LoadAdapterAsync()
        {
            var digest = ContentDigest.Of("the golden adapter"u8);
            var weights = await _device.RunAsync(() => LoraAdapterReader.Read(Goldens.Path(_folder, "adapter"), _model.Config)); // where they are counted
            Assert.Null(await Engine.LoadAdapterAsync(digest, weights, TestContext.Current.CancellationToken));
            return digest;
        }

        public async Task<int[]> GenerateAsync(string prompt, int[]? emitted = null, double temperature = 0, ContentDigest? adapter = null)
        {
            var request = new EngineRequest
            {
                Id = prompt,
                Tenant = new EngineTenant("tenant", new byte[EngineTenant.LeastSalt]),
                Prompt = Segments(prompt),
                Sampling = new SamplingOptions { Temperature = temperature, Seed = 7, MaxTokens = 24 },
                Emitted = [emitted ?? []],
                Adapter = adapter,
            };
            var accepted = Assert.IsType<Submission.Accepted>(Engine.Submit(request, TestContext.Current.CancellationToken));
            var ids = new List<int>();
            await foreach (var update in accepted.Updates.ReadAllAsync(TestContext.Current.CancellationToken))
            {
                Assert.Null(update.Failure);
                if (update.Token != TokenUpdate.NoToken)
                {
                    ids.Add(update.Token);
                }
            }

            return [.. ids];
        }

        public async ValueTask DisposeAsync()
        {
            await Engine.DisposeAsync();
            await _device.RunAsync(_model.Dispose);
            _instruments.Dispose();
            if (_ownsDevice)
            {
                await _device.DisposeAsync();
            }
        }

        private static EngineModel Describe(LlavaModel model) => new()
        {
            VocabularySize = model.Config.Text.VocabSize,
            MaxPositions = model.Config.Text.MaxPositions,
            ImageTokenId = model.Config.ImageTokenId,
            EndTokens = model.Config.EosTokenIds,
            Projector = ContentDigest.Of("golden"u8),
            CreateDecoder = () => new NumberDecoder(),
        };

        private static JsonElement Json(string file)
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            return document.RootElement.Clone();
        }

        private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(i => i.GetInt32())];

        /// <summary>Cuts the flat ids into text and runs of image tokens of one image's length.</summary>
        private List<PromptSegment> Segments(string prompt)
        {
            var ids = Ids(_prompts.GetProperty(prompt).GetProperty("input_ids"));
            var (size, image) = (_model.Config.TokensPerTile, 0);
            var segments = new List<PromptSegment>();
            for (var at = 0; at < ids.Length;)
            {
                if (ids[at] == _model.Config.ImageTokenId)
                {
                    segments.Add(new PromptSegment.Picture(Picture(prompt, image++, size)));
                    at += size;
                    continue;
                }

                var text = ids[at..].TakeWhile(id => id != _model.Config.ImageTokenId).ToArray();
                segments.Add(new PromptSegment.Text(text));
                at += text.Length;
            }

            return segments;
        }

        private PromptImage Picture(string prompt, int index, int tokens) => new()
        {
            Digest = ContentDigest.Of(System.Text.Encoding.UTF8.GetBytes(_prompts.GetProperty(prompt).GetProperty("images")[index].GetString()!)),
            Preprocessing = ContentDigest.Of("golden"u8),
            Layout = TileLayout.Single,
            Tokens = tokens,
            LoadPixels = _ =>
            {
                using var file = SafetensorsFile.Open(Goldens.Path(_folder, "expected", "prompt_pixels.safetensors"));
                using var pixels = file.View(prompt + ".pixel_values")[index].contiguous();
                return ValueTask.FromResult(pixels.data<float>().ToArray());
            },
        };
    }

    private sealed class NumberDecoder : ITextDecoder
    {
        public string Append(int token) => $"{token} ";

        public string Finish() => "";
    }
}
