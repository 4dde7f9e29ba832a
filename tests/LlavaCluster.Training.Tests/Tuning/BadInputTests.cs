using System.IO.Compression;
using System.Text;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Data.Conversations;

namespace LlavaCluster.Training.Tests.Tuning;

/// <summary>What tenants send in place of records, as bytes: each is told by its place and its reason, and costs nothing but itself.</summary>
public sealed class BadInputTests : IDisposable
{
    private const string Good = """{"id":"good","conversations":[{"from":"human","value":"Q"},{"from":"gpt","value":"A"}]}""";
    private const string NoText = "a record must be well-formed Unicode; it has half a surrogate pair, or bytes that are not UTF-8.";
    private static readonly SampleEncoder Encoder = SampleEncoder.For(TuningData.Model, "bare", 200);

    private readonly string _folder = Directory.CreateTempSubdirectory("llava-bad-input-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("""{"id":"a","conversations":[{"from":"human","value":"\ud800"},{"from":"gpt","value":"A"}]}""", "a", BadRecordKind.Malformed, NoText)]
    [InlineData("{\"id\":\"a\",\"conversations\":[{\"from\":\"human\",\"value\":\"\u00ff\"},{\"from\":\"gpt\",\"value\":\"A\"}]}", "a", BadRecordKind.Malformed, NoText)]
    [InlineData("""{"id":"\udc00","conversations":[]}""", null, BadRecordKind.Malformed, NoText)]
    [InlineData("""{"id":"a","messages":[{"role":"user","content":"\ud800"},{"role":"assistant","content":"A"}]}""", "a", BadRecordKind.Malformed, NoText)]
    [InlineData("""{"id":"a","\ud800":1,"conversations":[]}""", null, BadRecordKind.Malformed, NoText)]
    [InlineData("""{"id":"a","conversations":[""", null, BadRecordKind.NotAnObject, "a record must be JSON; byte ")]
    [InlineData("""{"id":"a"} {"id":"b"}""", null, BadRecordKind.NotAnObject, "a record must be JSON; byte ")]
    [InlineData("nonsense", null, BadRecordKind.NotAnObject, "a record must be JSON; byte ")]
    [InlineData("[]", null, BadRecordKind.NotAnObject, "a record must be a JSON object; was Array.")]
    [InlineData("""{"id":"a","conversations":7}""", "a", BadRecordKind.Malformed, "a record must have conversations, an array, or messages.")]
    [InlineData("""{"id":"a","conversations":[]}""", "a", BadRecordKind.WrongTurnOrder, "a conversation must have a question and end with an answer; it had 0 answers to 0 questions.")]
    [InlineData("""{"id":"a","conversations":[{"from":"human"}]}""", "a", BadRecordKind.Malformed, "a turn must be an object whose value is a string.")]
    [InlineData("""{"id":"a","conversations":["Q","A"]}""", "a", BadRecordKind.Malformed, "a turn must be an object whose from is a string.")]
    [InlineData("""{"id":"a","conversations":[{"from":"narrator","value":"x"}]}""", "a", BadRecordKind.UnknownRole, "from must be human, gpt or system; was \"narrator\".")]
    [InlineData("""{"id":"a","conversations":[{"from":"human","value":"Q"},{"from":"system","value":"x"}]}""", "a", BadRecordKind.WrongTurnOrder, "a system message must come first; was turn 1.")]
    [InlineData("""{"id":"a","image":7,"conversations":[]}""", "a", BadRecordKind.Malformed, "image must be a name or an array of names; was Number.")]
    [InlineData("""{"id":"a","image":"gray.png","conversations":[{"from":"human","value":"Q"},{"from":"gpt","value":"A"}]}""", "a", BadRecordKind.PictureCount, "a record must have as many pictures as <image> in its questions; had 1 and 0.")]
    [InlineData("""{"id":"a","image":"gray.png","conversations":[{"from":"human","value":"<image><image>Q"},{"from":"gpt","value":"A"}]}""", "a", BadRecordKind.PictureCount, "a record must have as many pictures as <image> in its questions; had 1 and 2.")]
    [InlineData("""{"id":"a","image":"gray\u0000.png","conversations":[{"from":"human","value":"<image>Q"},{"from":"gpt","value":"A"}]}""", "a", BadRecordKind.MissingPicture, "a picture's name must not lead out of its folder; was \"gray?.png\".")]
    [InlineData("""{"id":"a","messages":{}}""", "a", BadRecordKind.Malformed, "messages must be an array; was Object.")]
    [InlineData("""{"id":"a","messages":[{"role":"user","content":7}]}""", "a", BadRecordKind.Malformed, "a message must have content, a string or an array of parts.")]
    [InlineData("""{"id":"a","messages":[{"role":"tool","content":"x"}]}""", "a", BadRecordKind.UnknownRole, "role must be system, user or assistant; was \"tool\".")]
    [InlineData("""{"id":"a","messages":[{"role":"user","content":[{"type":"audio"}]}]}""", "a", BadRecordKind.Malformed, "a part's type must be text or image_url; was \"audio\".")]
    [InlineData("""{"id":"a","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}""", "a", BadRecordKind.Malformed, "only a user's message may have pictures; one of assistant has 1.")]
    [InlineData("""{"id":"a","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A","weight":0}]}""", "a", BadRecordKind.Malformed, "weight must be 1 or absent; was 0.")]
    public void Line_ThatIsNoRecord_IsToldAndTheOthersAreUsed(string line, string? id, BadRecordKind kind, string reason)
    {
        var file = Write("data.jsonl", Encoding.Latin1.GetBytes($"{Good}\n{line}\n{Good.Replace("good", "better", StringComparison.Ordinal)}\n"));
        var (dataset, report) = Open(file, new DatasetOptions { BadRecords = BadRecordPolicy.Skip });
        using (dataset)
        {
            var bad = Assert.Single(report.Details);
            Assert.Equal((1, id, kind), (bad.Index, bad.Id, bad.Kind));
            Assert.StartsWith(reason, bad.Reason, StringComparison.Ordinal);
            Assert.Equal([0, 2], Enumerable.Range(0, dataset!.Count).Select(sample => dataset.Describe(sample).Record));
        }

        Assert.Null(Open(file).Dataset);
    }

    [Theory]
    [InlineData(63, BadRecordKind.Malformed)]
    [InlineData(64, BadRecordKind.NotAnObject)]
    public void Line_ThatIsNestedDeeply_IsRefusedFromADepthOn(int levels, BadRecordKind kind)
    {
        var line = $$"""{"id":"a","deep":{{new string('[', levels)}}{{new string(']', levels)}}}""";
        Assert.Equal(kind, Assert.Single(Open(Write("deep.jsonl", Encoding.UTF8.GetBytes(line))).Report.Details).Kind);
    }

    [Fact]
    public void Line_OfMoreBytesThanARecordMayHave_IsToldWithoutBeingRead()
    {
        var file = Write("long.jsonl", Encoding.UTF8.GetBytes($"{Good}\n{{\"id\":\"{new string('x', 300)}\"}}\n"));
        var (dataset, report) = Open(file, new DatasetOptions { BadRecords = BadRecordPolicy.Skip, MaxRecordBytes = 200 });
        dataset!.Dispose();
        Assert.Equal(new BadRecord(1, null, BadRecordKind.TooLarge, "a record must have at most 200 bytes; had 309."), Assert.Single(report.Details));
    }

    [Fact]
    public void Record_OfMorePicturesThanItMayHave_IsRefused()
    {
        var names = string.Join(',', Enumerable.Repeat("\"gray.png\"", 17));
        var line = $$"""{"id":"a","images":[{{names}}],"conversations":[{"from":"human","value":"{{string.Concat(Enumerable.Repeat("<image>", 17))}}"},{"from":"gpt","value":"A"}]}""";
        Assert.Equal("a record must have at most 16 pictures; had 17.", Assert.Single(Open(Write("many.jsonl", Encoding.UTF8.GetBytes(line))).Report.Details).Reason);
    }

    [Fact]
    public void Array_WithoutRecords_IsNoDataSet()
    {
        var (dataset, report) = Open(Write("none.json", "[ ]"u8.ToArray()));
        Assert.Equal((null, 0, 0), (dataset, report.Records, report.Bad));
    }

    [Fact]
    public void File_OfMoreRecordsThanMemoryIsFor_IsRefused()
    {
        var lines = new byte[2 * (RecordFile.MostRecords + 1)];
        for (var i = 0; i < lines.Length; i += 2)
        {
            (lines[i], lines[i + 1]) = ((byte)'1', (byte)'\n');
        }

        Assert.Equal("many.jsonl must hold at most 10000000 records; it holds more.", Assert.Throws<InvalidDataException>(() => Open(Write("many.jsonl", lines))).Message);
    }

    [Theory]
    [InlineData("", "pictures.zip must be a whole zip archive: ")]
    [InlineData("PK\u0003\u0004 and no more", "pictures.zip must be a whole zip archive: ")]
    [InlineData("PK\u0005\u0006", "pictures.zip must be a whole zip archive: ")]
    public void Zip_ThatIsNone_IsRefusedByItsName(string content, string message) =>
        Assert.StartsWith(message, Assert.Throws<InvalidDataException>(() => PictureStore.Open(Write("pictures.zip", Encoding.Latin1.GetBytes(content)))).Message, StringComparison.Ordinal);

    [Fact]
    public void Zip_ThatIsCutOff_IsRefusedByItsName()
    {
        var whole = File.ReadAllBytes(Zip("whole.zip", "a.png"));
        for (var length = 0; length < whole.Length; length++)
        {
            var file = Write("pictures.zip", whole[..length]);
            Assert.StartsWith("pictures.zip", Assert.Throws<InvalidDataException>(() => PictureStore.Open(file)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("../a.png", "leads out of the archive.")]
    [InlineData("a/../../b.png", "leads out of the archive.")]
    public void Zip_ThatEscapes_IsRefusedByItsNameAlone(string entry, string rule) =>
        Assert.Equal($"pictures.zip: the entry \"{entry}\" {rule}", Assert.Throws<InvalidDataException>(() => PictureStore.Open(Zip("pictures.zip", entry))).Message);

    [Fact]
    public void Zip_WithOneNameTwice_IsRefused() =>
        Assert.Equal("pictures.zip: the entry \"./a.png\" occurs twice.", Assert.Throws<InvalidDataException>(() => PictureStore.Open(Zip("pictures.zip", "a.png", "./a.png"))).Message);

    [Fact]
    public void Zip_WhoseListWouldFillTheMemory_IsRefusedBeforeItIsRead()
    {
        var path = Path.Combine(_folder, "pictures.zip");
        using (var file = File.Create(path))
        {
            // Holes cost no disk: an end that says its list begins at byte 0, 128 MiB and one byte before it.
            file.Position = (128 << 20) + 1;
            file.Write("PK\u0005\u0006"u8);
            file.Write(new byte[18]);
        }

        Assert.Equal("pictures.zip must list its entries in at most 134217728 bytes; it takes 134217729.", Assert.Throws<InvalidDataException>(() => PictureStore.Open(path)).Message);
    }

    private static (ConversationDataset? Dataset, DatasetReport Report) Open(string file, DatasetOptions? options = null) =>
        ConversationDataset.Open(file, PictureStore.Open(Goldens.Path("images")), Encoder, options, cancellationToken: TestContext.Current.CancellationToken);

    private string Write(string name, byte[] content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    private string Zip(string name, params string[] entries)
    {
        var path = Path.Combine(_folder, name);
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var entry in entries)
        {
            zip.CreateEntry(entry);
        }

        return path;
    }
}
