using LlavaCluster.Model.Config;
using LlavaCluster.Model.Imaging;
using LlavaCluster.Model.Tests.Weights;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Model.Tests.Config;

public sealed class LlavaConfigReaderTests : IDisposable
{
    private const string Minimal = """{"model_type":"llava","image_token_index":31999}""";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_WhenTheRealSevenBillionConfigLeavesKeysOut_FillsInTheDefaults()
    {
        var config = Read("""
            {"architectures":["LlavaForConditionalGeneration"],"ignore_index":-100,"image_token_index":32000,"model_type":"llava","pad_token_id":32001,"projector_hidden_act":"gelu",
             "text_config":{"_name_or_path":"lmsys/vicuna-7b-v1.5","architectures":["LlamaForCausalLM"],"max_position_embeddings":4096,"model_type":"llama","rms_norm_eps":1e-05,"torch_dtype":"float16","vocab_size":32064},
             "tie_word_embeddings":false,"torch_dtype":"float16","vision_feature_layer":-2,"vision_feature_select_strategy":"default",
             "vision_config":{"hidden_size":1024,"image_size":336,"intermediate_size":4096,"model_type":"clip_vision_model","num_attention_heads":16,"num_hidden_layers":24,"patch_size":14,"projection_dim":768,"vocab_size":32000},"vocab_size":32064}
            """);

        Assert.Equal(new TextConfig { VocabSize = 32064, MaxPositions = 4096, RmsNormEpsilon = 1e-5 }, config.Text);
        Assert.Equal(new VisionConfig { Hidden = 1024, Intermediate = 4096, Layers = 24, Heads = 16, ImageSize = 336, PatchSize = 14 }, config.Vision);
        Assert.Equal(new ProjectorConfig(2), config.Projector);
        Assert.Equal((32000, 32001, 576), (config.ImageTokenId, config.PadTokenId, config.TokensPerTile));
        Assert.Equal([23], config.FeatureLayers);
        Assert.Equal(686, TensorPlan.For(config).Count);
        Assert.Equal(7_063_427_072L, TensorPlan.For(config).Sum(tensor => tensor.Shape.Aggregate(1L, (count, extent) => count * extent)));
    }

    [Fact]
    public void Read_WhenSectionsAreAbsent_TakesTheClassDefaults()
    {
        var config = Read(Minimal);

        Assert.Equal(new TextConfig(), config.Text);
        Assert.Equal((1024, 24, 336, 14), (config.Vision.Hidden, config.Vision.Layers, config.Vision.ImageSize, config.Vision.PatchSize));
        Assert.Equal([2], config.EosTokenIds);
        Assert.Null(config.PadTokenId);
    }

    [Fact]
    public void Read_WhenTheVisionConfigIsEmpty_TakesClipsDefaultsInstead() =>
        Assert.Equal(new VisionConfig(), Read("""{"model_type":"llava","image_token_index":5,"vision_config":{}}""").Vision);

    [Fact]
    public void Read_WhenTheTextModelIsMistral_TakesItsDefaultsAndEndsTheContextWithTheWindow()
    {
        var absent = Read("""{"model_type":"llava_next","image_token_index":5,"text_config":{"model_type":"mistral"}}""");
        var none = Read("""{"model_type":"llava_next","image_token_index":5,"text_config":{"model_type":"mistral","sliding_window":null}}""");

        Assert.Equal((14336, 8, 4096), (absent.Text.Intermediate, absent.Text.KvHeads, absent.Text.MaxPositions));
        Assert.Equal(131072, none.Text.MaxPositions);
        Assert.Equal((336, 672), absent.GridPinpoints[0]);
    }

    [Fact]
    public void Read_WhenKeysHaveTheirNewerNames_TakesThem()
    {
        var config = Read("""
            {"model_type":"llava","image_token_id":9,"dtype":"bfloat16","vision_feature_layer":[-2,-5,3],"vision_feature_select_strategy":"full","multimodal_projector_bias":false,
             "text_config":{"hidden_size":96,"num_attention_heads":6,"head_dim":24,"rope_parameters":{"rope_theta":500000.0,"rope_type":"default"}}}
            """);

        Assert.Equal(9, config.ImageTokenId);
        Assert.Equal([23, 20, 3], config.FeatureLayers);
        Assert.Equal(577, config.TokensPerTile);
        Assert.Equal((24, 500000.0, 6), (config.Text.HeadDim, config.Text.RopeTheta, config.Text.KvHeads));
        Assert.Contains(TensorPlan.For(config), tensor => tensor.Name == "multi_modal_projector.linear_1.weight" && tensor.Shape.SequenceEqual([96L, 3072L]));
        Assert.DoesNotContain(TensorPlan.For(config), tensor => tensor.Name == "multi_modal_projector.linear_1.bias");
    }

    [Theory]
    [InlineData("\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}", 4.0)]
    [InlineData("\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2}", 2.0)]
    [InlineData("\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":8,\"rope_theta\":10000}", 8.0)]
    [InlineData("\"rope_scaling\":null", 1.0)]
    public void Read_WhenRopeIsScaledLinearly_TakesTheFactor(string key, double factor) =>
        Assert.Equal(factor, Read($$$"""{"model_type":"llava","image_token_index":5,"text_config":{ {{{key}}} }}""").Text.RopeLinearFactor);

    [Fact]
    public void Read_WhenGenerationConfigIsThere_TakesItsStopIds()
    {
        _ = _folder.Write("generation_config.json", """{"bos_token_id":7,"eos_token_id":[2,31998],"pad_token_id":3}""");

        var config = Read(Minimal);

        Assert.Equal([2, 31998], config.EosTokenIds);
        Assert.Equal((7, 3), (config.BosTokenId, config.PadTokenId));
    }

    [Theory]
    [InlineData("""{"model_type":"bert"}""", "model_type must be one of llava, llava_next; was \"bert\"")]
    [InlineData("""{}""", "model_type must be one of llava, llava_next; was absent")]
    [InlineData("""{"model_type":"llava","image_token_index":32000}""", "image_token_index must be >= 0 and < the vocabulary's 32000 rows; was 32000")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"vision_feature_layer":25}""", "vision_feature_layer must lie between -25 and 24 for 24 layers; was 25")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"vision_feature_layer":[]}""", "vision_feature_layer must be an integer or a list of integers; was []")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"vision_feature_select_strategy":"all"}""", "vision_feature_select_strategy must be one of")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"hidden_size":"big"}}""", "text_config.hidden_size must be an integer between 1 and 1048576; was \"big\"")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"hidden_size":0}}""", "text_config.hidden_size must be an integer between 1 and 1048576; was 0")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"num_key_value_heads":3}}""", "text_config.num_key_value_heads must divide num_attention_heads (32); was 3")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"model_type":"qwen2"}}""", "text_config.model_type must be one of llama, mistral; was \"qwen2\"")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"hidden_act":"gelu"}}""", "text_config.hidden_act")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"rope_scaling":{"rope_type":"yarn","factor":2}}}""", "text_config.rope_scaling.rope_type must be one of default, linear; was \"yarn\"")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"vision_config":{"model_type":"siglip_vision_model"}}""", "vision_config.model_type must be one of clip_vision_model")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"vision_config":7}""", "vision_config must be an object; was 7")]
    [InlineData("""{"model_type":"llava_next","image_token_index":5,"image_grid_pinpoints":[[336]]}""", "image_grid_pinpoints must be a list of pairs")]
    [InlineData("""{"model_type":"llava_next","image_token_index":5,"image_grid_pinpoints":[[336,672],[336,500]]}""", "image_grid_pinpoints must be multiples of the vision tower's image_size (336) with at most 64 tiles; was [336, 500]")]
    [InlineData("""{"model_type":"llava_next","image_token_index":5,"image_grid_pinpoints":[[3360,3360]]}""", "image_grid_pinpoints must be multiples of the vision tower's image_size (336) with at most 64 tiles; was [3360, 3360]")]
    [InlineData("""{"model_type":"llava_next","image_token_index":5,"vision_config":{"image_size":224,"patch_size":14}}""", "image_grid_pinpoints must be multiples of the vision tower's image_size (224) with at most 64 tiles; was [336, 672]")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"eos_token_id":32000}}""", "text_config.eos_token_id must be >= 0 and < the vocabulary's 32000 rows; was 32000")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"eos_token_id":[2,-1]}}""", "text_config.eos_token_id must be >= 0 and < the vocabulary's 32000 rows; was -1")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"bos_token_id":32001}}""", "text_config.bos_token_id must be >= 0 and < the vocabulary's 32000 rows; was 32001")]
    // A plan of two thousand million layers would fill the memory before a tensor is found to be missing.
    [InlineData("""{"model_type":"llava","image_token_index":5,"text_config":{"num_hidden_layers":2000000000}}""", "text_config.num_hidden_layers must be an integer between 1 and 1024; was 2000000000")]
    [InlineData("""{"model_type":"llava","image_token_index":5,"vision_config":{"num_hidden_layers":2147483647}}""", "vision_config.num_hidden_layers must be an integer between 1 and 1024; was 2147483647")]
    [InlineData("""{"model_type":"\ud800"}""", "holds text that is not Unicode")]
    [InlineData("[]", "must hold a JSON object")]
    [InlineData("{", "is not valid JSON")]
    public void Read_WhenAValueIsWrong_NamesTheKeyTheRuleAndTheValue(string json, string message) =>
        Assert.Contains(message, Assert.Throws<CheckpointException>(() => Read(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_WhenTheLayoutIsOriginal_TakesTheTrainersKeys()
    {
        _ = _folder.Write("tokenizer.model", "x");
        _ = _folder.Write("generation_config.json", """{"bos_token_id":1,"eos_token_id":2,"pad_token_id":0}""");
        var config = Read("""
            {"model_type":"llava_llama","hidden_size":4096,"intermediate_size":11008,"num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":32,"rms_norm_eps":1e-5,"max_position_embeddings":4096,"vocab_size":32000,
             "mm_vision_tower":"openai/clip-vit-large-patch14-336","mm_hidden_size":1024,"mm_projector_type":"mlp2x_gelu","mm_vision_select_layer":-2,"mm_vision_select_feature":"patch","image_aspect_ratio":"pad","pad_token_id":0}
            """);

        Assert.Equal((ModelFamily.Llava15, 0, 336, 2), (config.Family, config.ImageTokenId, config.Vision.ImageSize, config.Projector.Layers));
        Assert.Null(config.PadTokenId);
        Assert.Equal([23], config.FeatureLayers);
        Assert.Equal(ImageFit.Pad, PreprocessingConfigReader.Read(_folder.Root, config).Fit);
    }

    [Theory]
    [InlineData("[[336, 672], [672, 336], [1008, 336]]")]
    [InlineData("\"[(336, 672), (672, 336), (1008, 336)]\"")]
    public void Read_WhenTheOriginalLayoutIsAnyres_TakesWidthBeforeHeight(string pinpoints)
    {
        _ = _folder.Write("tokenizer.model", "x");
        var config = Read($$$"""{"model_type":"llava_mistral","mm_vision_tower":"openai/clip-vit-large-patch14-336","mm_projector_type":"mlp2x_gelu","image_aspect_ratio":"anyres","mm_patch_merge_type":"spatial_unpad","image_grid_pinpoints":{{{pinpoints}}}}""");

        Assert.Equal([(672, 336), (336, 672), (336, 1008)], config.GridPinpoints);
        Assert.True(config.OriginalAnyres);
        Assert.Equal(8, config.Text.KvHeads);
    }

    [Theory]
    [InlineData("\"eos_token_id\":[2,40000]", "eos_token_id must be >= 0 and < the vocabulary's 32000 rows; was 40000")]
    [InlineData("\"bos_token_id\":32000", "bos_token_id must be >= 0 and < the vocabulary's 32000 rows; was 32000")]
    public void Read_WhenGenerationConfigNamesAnIdWithoutARow_NamesIt(string key, string message)
    {
        _ = _folder.Write("generation_config.json", $"{{{key}}}");

        Assert.Contains(message, Assert.Throws<CheckpointException>(() => Read(Minimal)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"mm_projector_type\":\"identity\"", "mm_projector_type must not be identity where the tower's 1024 features are not the language model's hidden_size (4096); was \"identity\"")]
    [InlineData("\"eos_token_id\":32000", "eos_token_id must be >= 0 and < the vocabulary's 32000 rows; was 32000")]
    [InlineData("\"image_aspect_ratio\":\"anyres\",\"mm_patch_merge_type\":\"spatial_unpad\"", "image_grid_pinpoints must be a list of pairs of integers >= 1, at most 256 of them; was absent")]
    [InlineData("\"mm_projector_type\":\"ldpnet\"", "mm_projector_type must be linear, identity or mlpNx_gelu")]
    [InlineData("\"mm_use_im_start_end\":true", "mm_use_im_start_end must be false")]
    [InlineData("\"image_aspect_ratio\":\"anyres\",\"mm_patch_merge_type\":\"spatial\"", "mm_patch_merge_type must be one of spatial_unpad")]
    public void Read_WhenAnOriginalVariantIsNotSupported_NamesIt(string key, string message)
    {
        _ = _folder.Write("tokenizer.model", "x");
        Assert.Contains(message, Assert.Throws<CheckpointException>(() => Read($$$"""{"model_type":"llava","mm_vision_tower":"openai/clip-vit-large-patch14", {{{key}}} }""")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a_llava15", ImageFit.Crop, 0.48145466)]
    [InlineData("b_llava_gqa_bf16", ImageFit.Crop, 0.5)]
    [InlineData("c_llava_next", ImageFit.Anyres, 0.48145466)]
    public void ReadPreprocessing_FromACheckpoint_TakesItsFitAndMean(string name, ImageFit fit, double mean)
    {
        var folder = Goldens.Path(name);
        var config = PreprocessingConfigReader.Read(folder, LlavaConfigReader.Read(folder));

        Assert.Equal((fit, mean, 56, 56), (config.Fit, config.Mean[0], config.TileSize, config.ShortestEdge));
    }

    [Fact]
    public void ReadPreprocessing_WhenNestedInTheProcessorConfig_IsFound()
    {
        _ = _folder.Write("processor_config.json", """{"image_processor":{"image_mean":[0.1,0.2,0.3],"do_pad":true,"size":{"shortest_edge":336}}}""");
        var config = PreprocessingConfigReader.Read(_folder.Root, Read(Minimal));

        Assert.Equal([0.1, 0.2, 0.3], config.Mean);
        Assert.Equal(ImageFit.Pad, config.Fit);
    }

    [Theory]
    [InlineData("""{"resample":2}""", "resample must be an integer between 3 and 3; was 2")]
    [InlineData("""{"crop_size":224}""", "crop_size must be the vision tower's image_size (336); was 224")]
    [InlineData("""{"image_mean":[1]}""", "image_mean must hold 3 numbers; was [1]")]
    [InlineData("""{"do_center_crop":false}""", "do_center_crop must be true; was false")]
    [InlineData("""{"size":{"height":336,"width":400}}""", "size must have shortest_edge")]
    public void ReadPreprocessing_WhenAValueIsWrong_NamesIt(string json, string message)
    {
        _ = _folder.Write("preprocessor_config.json", json);
        var config = Read(Minimal);

        Assert.Contains(message, Assert.Throws<CheckpointException>(() => PreprocessingConfigReader.Read(_folder.Root, config)).Message, StringComparison.Ordinal);
    }

    private LlavaConfig Read(string json)
    {
        _ = _folder.Write("config.json", json);
        return LlavaConfigReader.Read(_folder.Root);
    }
}
