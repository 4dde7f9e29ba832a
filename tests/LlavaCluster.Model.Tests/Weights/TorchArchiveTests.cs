using System.IO.Compression;
using LlavaCluster.Model.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Tests.Weights;

public sealed class TorchArchiveTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_WhenStoragesAreSharedAndStrided_GivesTheSameTensors()
    {
        var pickle = PickleWriter.State(state => state
            .Text("whole").Tensor("FloatStorage", "0", 6, 0, [2, 3], [3, 1])
            .Text("transposed").Tensor("FloatStorage", "0", 6, 0, [3, 2], [1, 3])
            .Text("tail").Tensor("FloatStorage", "0", 6, 4, [2], [1])
            .Text("scalar").Tensor("FloatStorage", "0", 6, 5, [], [])
            .Text("half").Tensor("HalfStorage", "1", 2, 0, [2], [1])
            .Text("brain").Tensor("BFloat16Storage", "2", 2, 1, [1], [1])
            .Text("none").Tensor("LongStorage", "3", 0, 0, [5, 0], [0, 1]));
        var path = Write(pickle, ("0", PickleWriter.Floats(0, 1, 2, 3, 4, 5)), ("1", [0x00, 0x3c, 0x00, 0xc0]), ("2", [0, 0, 0x80, 0x3f]), ("3", []));

        using var scope = NewDisposeScope();
        using var file = TensorFile.Open(path);

        Assert.IsType<TorchArchive>(file);
        Assert.Equal([0f, 1, 2, 3, 4, 5], file.View("whole").data<float>().ToArray());
        Assert.Equal([0f, 3, 1, 4, 2, 5], file.View("transposed").contiguous().data<float>().ToArray());
        Assert.Equal([4f, 5], file.View("tail").data<float>().ToArray());
        Assert.Equal(5f, file.View("scalar").item<float>());
        Assert.Equal([1f, -2], file.View("half").to(float32).data<float>().ToArray());
        Assert.Equal([1f], file.View("brain").to(float32).data<float>().ToArray());
        Assert.Equal([5L, 0], file.View("none").shape);
    }

    [Fact]
    public void Address_OfATensorWhoseElementsAreNotInARow_IsRefused()
    {
        var pickle = PickleWriter.State(state => state.Text("transposed").Tensor("FloatStorage", "0", 6, 0, [3, 2], [1, 3]));
        using var file = TorchArchive.Open(Write(pickle, ("0", PickleWriter.Floats(0, 1, 2, 3, 4, 5))));
        using var view = file.View("transposed");

        Assert.Contains("its strides are [1, 3] for shape [3, 2]", Assert.Throws<ArgumentException>(() => Address(view)).Message, StringComparison.Ordinal);

        static unsafe nint Address(Tensor tensor) => (nint)TensorMemory.Address(tensor);
    }

    [Fact]
    public void Open_WhenAnEntryIsAParameter_GivesItsTensor()
    {
        var pickle = PickleWriter.State(state => state.Text("p").Global("torch._utils", "_rebuild_parameter").Raw((byte)'(')
            .Tensor("FloatStorage", "0", 1, 0, [1], [1]).Raw(0x88).OrderedDict().Raw((byte)'t', (byte)'R'));
        using var file = TorchArchive.Open(Write(pickle, ("0", PickleWriter.Floats(7))));
        using var view = file.View("p");

        Assert.Equal(7f, view.item<float>());
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch", "load")]
    [InlineData("collections", "OrderedDict\u001b")]
    [InlineData("torch._utils", "_rebuild_tensor")]
    public void Open_WhenThePickleAsksForAnythingElse_NamesItAndRunsNothing(string module, string name)
    {
        var marker = _folder.File("ran");
        var pickle = new PickleWriter().Global(module, name).Raw((byte)'(').Text($"touch {marker}").Raw((byte)'t', (byte)'R').End();

        var refusal = Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle)));

        Assert.Contains($"asks for '{module}.{CheckpointException.Printable(name)}'", refusal.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(marker));
    }

    [Fact]
    public void Open_WhenTheNameComesFromTheStack_IsRefusedToo()
    {
        var pickle = new PickleWriter().Raw(0x8c, 2, (byte)'o', (byte)'s', 0x8c, 6).Raw("system"u8.ToArray()).Raw(0x93).End();

        Assert.Contains("asks for 'os.system'", Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0L, new long[] { 3 }, new long[] { 1 }, "reach outside its storage of 2 elements")]
    [InlineData(1L, new long[] { 2 }, new long[] { 1 }, "reach outside")]
    [InlineData(0L, new long[] { 2 }, new long[] { 2 }, "reach outside")]
    [InlineData(0L, new long[] { 4000000000000000000, 4000000000000000000 }, new long[] { 0, 0 }, "reach outside")]
    [InlineData(0L, new long[] { 2 }, new long[] { 4611686018427387904 }, "reach outside")]
    [InlineData(4611686018427387904L, new long[] { 1 }, new long[] { 1 }, "reach outside")]
    [InlineData(-1L, new long[] { 1 }, new long[] { 1 }, "do not fit together")]
    [InlineData(0L, new long[] { -1 }, new long[] { 1 }, "do not fit together")]
    [InlineData(1L, new long[] { 2 }, new long[] { -1 }, "do not fit together")]
    [InlineData(0L, new long[] { 1, 1 }, new long[] { 1 }, "do not fit together")]
    public void Open_WhenATensorLeavesItsStorage_IsRefused(long offset, long[] shape, long[] strides, string reason)
    {
        var pickle = PickleWriter.State(state => state.Text("bad").Tensor("FloatStorage", "0", 2, offset, shape, strides));

        var refusal = Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle, ("0", PickleWriter.Floats(1, 2)))));

        Assert.Equal("bad", refusal.Tensor);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenATensorHasMoreDimensionsThanLibtorchTakes_IsRefusedBeforeItsSizesAreCopied()
    {
        // One tuple of many sizes, recalled by any number of tensors: what is built must stay within the length of the file.
        var many = Enumerable.Repeat(1L, 65).ToArray();
        var pickle = PickleWriter.State(state => state.Text("bad").Tensor("FloatStorage", "0", 2, 0, many, many));

        Assert.Contains("holds a shape of 65 dimensions; the bound is 64", Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle, ("0", PickleWriter.Floats(1, 2))))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenAKeyIsANumber_IsRefused()
    {
        // Numbers can be chosen so that they all meet in one bucket; text cannot.
        var pickle = PickleWriter.State(state => state.Integer(1L << 32 | 1).Integer(3));

        Assert.Contains("uses a key that is not text", Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenAStorageIsAbsentOrShorterThanItSays_IsRefused()
    {
        var pickle = PickleWriter.State(state => state.Text("a").Tensor("FloatStorage", "0", 4, 0, [4], [1]));

        Assert.Contains("does not hold", Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle))).Message, StringComparison.Ordinal);
        Assert.Contains("its member holds 3", Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle, ("0", PickleWriter.Floats(1, 2, 3))))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenThePickleIsCutOrChangedAnywhere_NeverDoesMoreThanRefuse()
    {
        var pickle = PickleWriter.State(state => state.Text("a").Tensor("FloatStorage", "0", 2, 0, [2], [1]));
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var changed = (byte[])pickle.Clone();
            changed[random.Next(changed.Length)] = (byte)random.Next(256);
            var code = changed.AsSpan(0, random.Next(4) == 0 ? random.Next(changed.Length) : changed.Length).ToArray();
            try
            {
                _ = PickleReader.ReadState("x.bin", code);
            }
            catch (CheckpointException refusal)
            {
                Assert.StartsWith("x.bin: ", refusal.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Open_WhenTheZipIsCutAnywhere_IsRefused()
    {
        var whole = PickleWriter.Archive(PickleWriter.State(state => state.Text("a").Tensor("FloatStorage", "0", 2, 0, [2], [1])), ("0", PickleWriter.Floats(1, 2)));
        for (var length = 1; length < whole.Length; length += 3)
        {
            var path = _folder.Write("cut.bin", whole[..length]);
            Assert.Throws<CheckpointException>(() => TorchArchive.Open(path));
        }
    }

    [Fact]
    public void Open_WhenAZipFieldIsChanged_NeverDoesMoreThanRefuse()
    {
        var whole = PickleWriter.Archive(PickleWriter.State(state => state.Text("a").Tensor("FloatStorage", "0", 2, 0, [2], [1])), ("0", PickleWriter.Floats(1, 2)));
        for (var at = 0; at < whole.Length; at++)
        {
            var changed = (byte[])whole.Clone();
            changed[at] ^= 0xff;
            var path = _folder.Write("changed.bin", changed);
            try
            {
                using var file = TorchArchive.Open(path);
                foreach (var name in file.Tensors.Keys)
                {
                    using var view = file.View(name);
                }
            }
            catch (CheckpointException refusal)
            {
                Assert.StartsWith(path, refusal.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Open_WhenMembersAreCompressed_SaysSo()
    {
        using (var zip = ZipFile.Open(_folder.File("x.bin"), ZipArchiveMode.Create))
        {
            PickleWriter.Member(zip, "archive/data.pkl", new byte[5000], CompressionLevel.Optimal);
        }

        Assert.Contains("is compressed", Assert.Throws<CheckpointException>(() => TorchArchive.Open(_folder.File("x.bin"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenTheFileIsOfOldPyTorch_SaysWhatToDo()
    {
        var path = _folder.Write("pytorch_model.bin", [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9]);

        Assert.Contains("before 1.6", Assert.Throws<CheckpointException>(() => TensorFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_WhenAnEntryIsNoTensor_NamesIt()
    {
        var pickle = PickleWriter.State(state => state.Text("epoch").Integer(3));

        Assert.Contains("the entry 'epoch' is not a tensor", Assert.Throws<CheckpointException>(() => TorchArchive.Open(Write(pickle))).Message, StringComparison.Ordinal);
    }

    private string Write(byte[] pickle, params (string Key, byte[] Data)[] storages) => _folder.Write("x.bin", PickleWriter.Archive(pickle, storages));
}
