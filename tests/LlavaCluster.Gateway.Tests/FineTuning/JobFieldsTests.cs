using System.Net;
using System.Text.Json.Nodes;
using LlavaCluster.Abstractions.Adapters;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.FineTuning;

/// <summary>What POST /v1/fine_tuning/jobs takes and refuses.</summary>
public sealed class JobFieldsTests(JobFieldsTests.Server fixture) : IClassFixture<JobFieldsTests.Server>
{
    private const string Path = "method.supervised.hyperparameters.";

    [Theory]
    [InlineData("n_epochs", "0", "must be between 1 and 50; was 0.")]
    [InlineData("n_epochs", "\"many\"", "must be a whole number; was a string.")]
    [InlineData("batch_size", "5000", "must be between 1 and 4096; was 5000.")]
    [InlineData("batch_size", "9223372036854775807", "must be between 1 and 4096; was 9223372036854775807.")]
    [InlineData("learning_rate_multiplier", "2", "must be 1 or \"auto\"; was 2. Name the rate itself: learning_rate.")]
    [InlineData("method", "\"full\"", "must be lora or projector; was \"full\".")]
    [InlineData("learning_rate", "0", "must be greater than 0 and at most 1; was 0.")]
    [InlineData("projector_learning_rate", "1.5", "must be greater than 0 and at most 1; was 1.5.")]
    [InlineData("micro_batch", "17", "must be between 1 and 16; was 17.")]
    [InlineData("rank", "257", "must be between 1 and 256; was 257.")]
    [InlineData("alpha", "0", "must be greater than 0 and at most 10000; was 0.")]
    [InlineData("dropout", "0.95", "must be between 0 and 0.9; was 0.95.")]
    [InlineData("target_modules", "[\"q_proj\",\"a b\"]", "must hold names of 1 to 128 of a-z, A-Z, 0-9, '_', '.', '-'; held \"a b\".")]
    [InlineData("target_modules", "\"q_proj\"", "must be an array; was a string.")]
    [InlineData("rank_stabilised", "1", "must be true or false; was a number.")]
    [InlineData("train_projector", "\"yes\"", "must be true or false; was a string.")]
    [InlineData("max_tokens", "15", "must be between 16 and 2147483647; was 15.")]
    [InlineData("max_tokens", "2049", "must be at most 2048, the model's context; was 2049.")]
    [InlineData("warmup", "-0.1", "must be between 0 and 1; was -0.1.")]
    [InlineData("weight_decay", "2", "must be between 0 and 1; was 2.")]
    [InlineData("clip_norm", "1001", "must be between 0 and 1000; was 1001.")]
    [InlineData("held_out", "0.6", "must be between 0 and 0.5; was 0.6.")]
    [InlineData("skip_bad_records", "0", "must be true or false; was a number.")]
    [InlineData("group_by_length", "0", "must be true or false; was a number.")]
    [InlineData("local_steps", "0", "must be between 1 and 10000; was 0.")]
    [InlineData("base_weights", "\"q4\"", "must be stored or q8; was \"q4\".")]
    [InlineData("rank_pattern", "[]", "must be an object; was an array.")]
    [InlineData("rank_pattern", "{\"(?=q)\":8}", "must have regular expressions of 1 to 128 characters, without look-around and back-references, as its names; had \"(?=q)\".")]
    [InlineData("rank_pattern", "{\"((a{999}){999}){999}\":8}", "must have regular expressions of 1 to 128 characters, without look-around and back-references, as its names; had \"((a{999}){999}){999}\".")]
    [InlineData("rank_pattern", "{\"q_proj\":8,\"q_proj\":9}", "must have each pattern once; had \"q_proj\" 2 times.")]
    [InlineData("alpha_pattern", "{\"\":8}", "must have regular expressions of 1 to 128 characters, without look-around and back-references, as its names; had \"\".")]
    public async Task Hyperparameter_ThatIsBad_IsNamedWithBoundAndValue(string name, string value, string rule)
    {
        var body = fixture.Body();
        body["method"] = new JsonObject { ["type"] = "supervised", ["supervised"] = new JsonObject { ["hyperparameters"] = new JsonObject { [name] = JsonNode.Parse(value) } } };
        await RefusedAsync(body, Path + name, $"{Path}{name} {rule}");
    }

    [Theory]
    [InlineData("rank_pattern", "257", "must be between 1 and 256; was 257.")]
    [InlineData("rank_pattern", "0.5", "must be a whole number that fits 64 bits; was 0.5.")]
    [InlineData("alpha_pattern", "0", "must be greater than 0 and at most 10000; was 0.")]
    [InlineData("alpha_pattern", "\"8\"", "must be a number; was a string.")]
    public async Task Pattern_WithABadValue_IsNamedWithBoundAndValue(string name, string value, string rule)
    {
        var body = fixture.Body();
        body["hyperparameters"] = new JsonObject { [name] = new JsonObject { ["q_proj"] = JsonNode.Parse(value) } };
        await RefusedAsync(body, $"hyperparameters.{name}.q_proj", $"hyperparameters.{name}.q_proj {rule}");
    }

    [Fact]
    public async Task Patterns_OfMoreThanTheirNumber_AreRefused()
    {
        var body = fixture.Body();
        body["hyperparameters"] = new JsonObject { ["rank_pattern"] = new JsonObject(Enumerable.Range(0, 257).Select(i => KeyValuePair.Create($"layers.{i}", (JsonNode?)4))) };
        await RefusedAsync(body, "hyperparameters.rank_pattern", "hyperparameters.rank_pattern must hold at most 256 patterns; held 257.");
    }

    [Theory]
    [InlineData("model", "null", "is required and must not be empty.")]
    [InlineData("training_file", "null", "is required and must not be empty.")]
    [InlineData("training_file", "\"file-1\"", "must be a file's id, file- and 64 lower-case hexadecimal digits; was \"file-1\".")]
    [InlineData("validation_file", "\"x\"", "must be a file's id, file- and 64 lower-case hexadecimal digits; was \"x\".")]
    [InlineData("images_file", "7", "must be a string; was a number.")]
    [InlineData("suffix", "\"My Model\"", "must be 1 to 64 of a-z, 0-9, '-', '_'; was \"My Model\".")]
    [InlineData("seed", "-1", "must be between 0 and 2147483647; was -1.")]
    [InlineData("max_trainers", "65", "must be between 1 and 64; was 65.")]
    [InlineData("traffic_share", "1.1", "must be between 0 and 1; was 1.1.")]
    [InlineData("checkpoint_every", "0", "must be between 1 and 1000000; was 0.")]
    [InlineData("metadata", "[]", "must be an object; was an array.")]
    [InlineData("method", "{\"type\":\"dpo\"}", "must be supervised; was \"dpo\".", "method.type")]
    public async Task Field_ThatIsBad_IsNamedWithBoundAndValue(string name, string value, string rule, string? field = null)
    {
        var body = fixture.Body();
        body[name] = JsonNode.Parse(value);
        await RefusedAsync(body, field ?? name, $"{field ?? name} {rule}");
    }

    [Fact]
    public async Task Fields_ThatContradictEachOther_AreNamed()
    {
        var body = fixture.Body();
        body["validation_file"] = body["training_file"]!.DeepClone();
        await RefusedAsync(body, "validation_file", "validation_file must be another file than training_file.");
        body["validation_file"] = fixture.Other;
        body["hyperparameters"] = new JsonObject { ["held_out"] = 0.2 };
        await RefusedAsync(body, "hyperparameters.held_out", "hyperparameters.held_out must be 0 or absent beside a validation_file; was 0.2.");
        body["hyperparameters"] = new JsonObject { ["method"] = "projector", ["train_projector"] = false };
        await RefusedAsync(body, "hyperparameters.train_projector", "hyperparameters.train_projector must not be false where the method is projector: nothing would learn.");
        body = fixture.Body();
        body["metadata"] = new JsonObject { ["long"] = new string('x', 513) };
        await RefusedAsync(body, "metadata", "metadata must be at most 512 characters; was 513.");
    }

    [Fact]
    public async Task What_IsNotThere_IsNotFound()
    {
        var body = fixture.Body();
        body["model"] = "llava-test:formal";
        await RefusedAsync(body, "model", "model must be a base of those in /v1/models; was \"llava-test:formal\".", HttpStatusCode.NotFound);
        foreach (var field in (string[])["training_file", "validation_file", "images_file"])
        {
            body = fixture.Body();
            body[field] = $"file-{ObjectId.Of([7])}";
            await RefusedAsync(body, field, $"{field} names a file that was not uploaded.", HttpStatusCode.NotFound);
        }

        body = fixture.Body();
        body["images_file"] = fixture.Other;
        await RefusedAsync(body, "images_file", "images_file must be a zip of pictures, uploaded with the purpose fine-tune.");
        body = fixture.Body();
        body["training_file"] = fixture.Zip;
        await RefusedAsync(body, "training_file", "training_file must be a JSON array or JSON lines, uploaded with the purpose fine-tune.");
    }

    [Fact]
    public async Task Suffix_OfAnAdapterOfAnotherModel_IsRefusedBeforeItTrains()
    {
        var adapters = fixture.Gateway.Grains.Adapters.GetOrAdd("default", _ => new FakeAdapters());
        await adapters.PublishAsync("taken", new AdapterVersion(ObjectId.Of([1]), "llava-other", DateTimeOffset.UnixEpoch, 1, null, double.NaN, double.NaN), null, TestContext.Current.CancellationToken);
        var body = fixture.Body();
        body["suffix"] = "taken";
        await RefusedAsync(body, "suffix", "suffix must not be the name of an adapter of another model; \"taken\" is one of llava-other.");
    }

    [Fact]
    public async Task Job_WithNothingButWhatIsNeeded_HasTheDefaults()
    {
        var body = fixture.Body();
        body["unknown"] = true;
        var made = await fixture.Api.PostAsync("/v1/fine_tuning/jobs", body);
        var spec = fixture.Gateway.Grains.Jobs[$"default/{made["id"]}"].Info!.Spec;
        Assert.Equal(new TuningOptions(), spec.Options with { TargetModules = [], RankPattern = [], AlphaPattern = [] });
        Assert.Equal(((string)made["id"]!, 1.0, 1, null, null), (spec.AdapterName, spec.TrafficShare, spec.MaxTrainers, spec.CheckpointEvery, spec.Metadata));
        Assert.Equal(("queued", "fine_tuning.job", "llava-test", null, null), ((string)made["status"]!, (string)made["object"]!, (string)made["model"]!, (string?)made["fine_tuned_model"], (string?)made["user_provided_suffix"]));
    }

    [Fact]
    public async Task Job_WithEveryField_HasThem()
    {
        var body = fixture.Body();
        (body["validation_file"], body["images_file"], body["suffix"], body["seed"]) = (fixture.Other, fixture.Zip, "formal-2_x", 7);
        (body["max_trainers"], body["traffic_share"], body["checkpoint_every"], body["metadata"]) = (3, 0.25, 50, new JsonObject { ["b"] = "2", ["a"] = "1" });
        body["method"] = JsonNode.Parse("""
            {"type":"supervised","supervised":{"hyperparameters":{"n_epochs":2,"batch_size":8,"learning_rate_multiplier":"auto","method":"lora","learning_rate":2e-4,"projector_learning_rate":2e-5,
            "micro_batch":2,"rank":64,"alpha":128,"dropout":0.05,"target_modules":["q_proj","v_proj"],"rank_pattern":{"layers.0.*":8,"q_proj":4},"alpha_pattern":{"v_proj":2.5},"rank_stabilised":true,"train_projector":false,"max_tokens":1024,"warmup":0.1,"weight_decay":0.01,
            "clip_norm":0,"held_out":0,"skip_bad_records":true,"group_by_length":true,"local_steps":4,"base_weights":"q8"}}}
            """);
        var made = await fixture.Api.PostAsync("/v1/fine_tuning/jobs", body);
        var spec = fixture.Gateway.Grains.Jobs[$"default/{made["id"]}"].Info!.Spec;
        var expected = new TuningOptions
        {
            Epochs = 2, BatchSize = 8, MicroBatch = 2, LearningRate = 2e-4, ProjectorLearningRate = 2e-5, WeightDecay = 0.01, Warmup = 0.1, ClipNorm = null, MaxTokens = 1024, Seed = 7, GroupByLength = true,
            Rank = 64, Alpha = 128, Dropout = 0.05, TargetModules = spec.Options.TargetModules, RankPattern = spec.Options.RankPattern, AlphaPattern = spec.Options.AlphaPattern, RankStabilised = true, TrainProjector = false, HeldOut = 0, SkipBadRecords = true, LocalSteps = 4, BaseWeights = BaseWeights.Q8,
        };
        Assert.Equal(expected, spec.Options);
        Assert.Equal(["q_proj", "v_proj"], spec.Options.TargetModules);
        Assert.Equal([new("layers.0.*", 8), new("q_proj", 4)], spec.Options.RankPattern);
        Assert.Equal([new("v_proj", 2.5)], spec.Options.AlphaPattern);
        Assert.Equal(("formal-2_x", 0.25, 3, 50, """{"a":"1","b":"2"}"""), (spec.AdapterName, spec.TrafficShare, spec.MaxTrainers, spec.CheckpointEvery, spec.Metadata));
        Assert.Equal((fixture.Other, fixture.Zip), ($"file-{spec.ValidationFile}", $"file-{spec.Images}"));
        // What was asked for is told again.
        Assert.Equal("1", (string)made["metadata"]!["a"]!);
        foreach (var (name, value) in body["method"]!["supervised"]!["hyperparameters"]!.AsObject().Where(field => field.Key != "learning_rate_multiplier"))
        {
            Assert.True(JsonNode.DeepEquals(value, made["method"]!["supervised"]!["hyperparameters"]![name]), name);
        }
    }

    private async Task RefusedAsync(JsonObject body, string field, string message, HttpStatusCode status = HttpStatusCode.BadRequest)
    {
        var error = (await fixture.Api.PostAsync("/v1/fine_tuning/jobs", body, status))["error"]!;
        Assert.Equal((field, message), ((string)error["param"]!, (string)error["message"]!));
    }

    public sealed class Server : IAsyncLifetime
    {
        internal GatewayServer Gateway { get; private set; } = null!;

        internal Api Api { get; private set; } = null!;

        internal string File { get; private set; } = "";

        internal string Other { get; private set; } = "";

        internal string Zip { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            Gateway = await GatewayServer.StartAsync();
            Api = Api.Of(Gateway.Address);
            (File, Other, Zip) = (await Api.UploadAsync(), await Api.UploadAsync("{\"id\":\"1\"}\n"u8.ToArray()), await Api.UploadAsync(Api.Zip));
        }

        public async ValueTask DisposeAsync()
        {
            Api.Dispose();
            await Gateway.DisposeAsync();
        }

        internal JsonObject Body() => new() { ["model"] = "llava-test", ["training_file"] = File };
    }
}
