using System.Text;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_ThenOpen_GivesEveryTypeAndShapeBack()
    {
        using var scope = NewDisposeScope();
        var tensors = new Dictionary<string, Tensor>
        {
            ["f32"] = torch.arange(6, float32).view(2, 3),
            ["bf16"] = torch.tensor(new[] { 1f, -2f, 3.5f }).to(bfloat16),
            ["f16"] = torch.tensor(new[] { 0.5f }).to(float16),
            ["i64"] = torch.tensor(new long[] { long.MinValue, 7 }),
            ["u8"] = torch.tensor(new byte[] { 1, 2, 3 }),
            ["empty"] = torch.zeros(0, 4),
            ["scalar"] = torch.tensor(2.5f),
            ["transposed"] = torch.arange(6, float32).view(2, 3).t(),
        };
        var path = _folder.File("x.safetensors");

        SafetensorsWriter.Write(path, [.. tensors], new Dictionary<string, string> { ["format"] = "pt" });
        using var file = SafetensorsFile.Open(path);

        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(tensors.Keys.Order(), file.Tensors.Keys.Order());
        foreach (var (name, expected) in tensors)
        {
            using var actual = file.View(name);
            Assert.Equal(expected.dtype, actual.dtype);
            Assert.Equal(expected.shape, actual.shape);
            Assert.True(actual.equal(expected).all().item<bool>(), name);
        }

        Assert.Single(Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public void Write_WhenATensorCannotBeHeld_LeavesTheOldFileAsItWas()
    {
        var path = _folder.Write("x.safetensors", "old");
        using var complex = torch.zeros(2, ScalarType.ComplexFloat32);

        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [new("c", complex)]));

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(_folder.Root));
    }

    [Fact]
    public void View_WhenTheDataIsNotAligned_GivesTheValues()
    {
        var path = _folder.Write("x.safetensors", Build("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}""", [9, .. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f)]));
        using var file = SafetensorsFile.Open(path);
        using var view = file.View("b");

        Assert.Equal([1.5f, -2f], view.data<float>().ToArray());
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "needs 8 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}""", 8, "needs 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "leaves a hole")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 8, "cover 4 bytes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "overlaps")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "not valid")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}""", 4, "F8_E4M3")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "integers >= 0; was -1")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "integers >= 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4,4],"data_offsets":[0,0]}}""", 0, "needs")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904,4611686018427387904,4611686018427387904],"data_offsets":[0,4]}}""", 4, "needs")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "must be ordered")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999999999999999]}}""", 4, "integers >= 0")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775803,9223372036854775807]}}""", 4, "must be ordered")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "needs dtype")]
    [InlineData("""{"a":7}""", 4, "needs dtype")]
    [InlineData("""{"__metadata__":{"x":1}}""", 0, "strings only")]
    [InlineData("""[]""", 0, "must be a JSON object")]
    [InlineData("""{"a":""", 0, "not valid")]
    [InlineData("""{"a":{"dtype":{"dtype":{"dtype":{"dtype":{"dtype":{"dtype":{"dtype":{"dtype":1}}}}}}}}}""", 0, "not valid")]
    public void Open_WhenTheHeaderLies_IsRefused(string header, int dataBytes, string reason)
    {
        var path = _folder.Write("x.safetensors", Build(header, new byte[dataBytes]));

        var refusal = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));

        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(100_000_001UL)]
    [InlineData(17UL)]
    public void Open_WhenTheHeaderIsLongerThanTheFile_IsRefused(ulong length)
    {
        var path = _folder.Write("x.safetensors", [.. BitConverter.GetBytes(length), .. new byte[16]]);

        Assert.Contains("truncated", Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "is empty")]
    [InlineData(7, "7 bytes long")]
    public void Open_WhenTheFileIsTooShort_IsRefused(int length, string reason)
    {
        var path = _folder.Write("x.safetensors", new byte[length]);

        Assert.Contains(reason, Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenTheHeaderIsNotUtf8_IsRefused()
    {
        byte[] header = [(byte)'{', (byte)'"', 0xff, 0xfe, (byte)'"', (byte)':', (byte)'1', (byte)'}'];
        var path = _folder.Write("x.safetensors", [.. BitConverter.GetBytes((ulong)header.Length), .. header]);

        Assert.Contains("not valid", Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenACheckpointIsCutAnywhere_IsRefused()
    {
        var whole = Build("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}""", new byte[12]);
        for (var length = 1; length < whole.Length; length++)
        {
            var path = _folder.Write("cut.safetensors", whole[..length]);
            Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        }
    }

    [Fact]
    public void Open_WhenANameHoldsControlCharacters_EscapesThemInTheMessage()
    {
        var path = _folder.Write("x.safetensors", Build("""{"a\u001b[2J\n":7}""", []));

        var refusal = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));

        Assert.Contains(@"'a\u001b[2J\u000a'", refusal.Message, StringComparison.Ordinal);
    }

    private static byte[] Build(string header, byte[] data) => [.. BitConverter.GetBytes((ulong)Encoding.UTF8.GetByteCount(header)), .. Encoding.UTF8.GetBytes(header), .. data];
}
