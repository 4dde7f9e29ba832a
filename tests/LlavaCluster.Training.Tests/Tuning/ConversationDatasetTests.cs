using System.IO.Compression;
using System.Text;
using System.Text.Json;
using CsCheck;
using LlavaCluster.TestSupport;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Training.Tests.Tuning;

public sealed class ConversationDatasetTests : IDisposable
{
    private static readonly SampleEncoder Encoder = SampleEncoder.For(TuningData.Model, "bare", 200);
    private readonly TuningData _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public void Open_OfABadDataSet_NamesEveryBadRecord()
    {
        var good = TuningData.Record("good", "gray.png", ("Q", "A"));
        object Turns(string id, params (string From, string Value)[] turns) => new { id, conversations = turns.Select(turn => new { from = turn.From, value = turn.Value }) };
        object[] records =
        [
            good,
            42,
            new { id = "no turns" },
            Turns("role", ("narrator", "x")),
            Turns("order", ("human", "a"), ("human", "b"), ("gpt", "c")),
            Turns("open", ("human", "a"), ("gpt", "c"), ("human", "b")),
            Turns("empty", ("human", "a"), ("gpt", " \n")),
            Turns("count", ("human", "<image>\na"), ("gpt", "c")),
            TuningData.Record("missing", "none.png", ("Q", "A")),
            TuningData.Record("outside", "../images/gray.png", ("Q", "A")),
            TuningData.Record("broken", "images.json", ("Q", "A")),
            TuningData.Record("long", "gray.png", ("Q", new string('x', 4000))),
            TuningData.Record("good", "gray.png", ("Q", "again")),
            Turns("leading", ("gpt", "Hello!"), ("human", "a"), ("gpt", "c")),
        ];

        var (dataset, report) = Open(_data.Write(records));

        Assert.Null(dataset);
        Assert.Equal(14, report.Records);
        Assert.Equal(
            [
                (1, null, BadRecordKind.NotAnObject), (2, "no turns", BadRecordKind.Malformed), (3, "role", BadRecordKind.UnknownRole), (4, "order", BadRecordKind.WrongTurnOrder),
                (5, "open", BadRecordKind.WrongTurnOrder), (6, "empty", BadRecordKind.EmptyAnswer), (7, "count", BadRecordKind.PictureCount), (8, "missing", BadRecordKind.MissingPicture),
                (9, "outside", BadRecordKind.MissingPicture), (10, "broken", BadRecordKind.BrokenPicture), (11, "long", BadRecordKind.TooLong), (12, "good", BadRecordKind.DuplicateId),
            ],
            report.Details.Select(bad => (bad.Index, bad.Id, bad.Kind)));
        Assert.Contains("at most 200 tokens", report.Details[10].Reason, StringComparison.Ordinal);
        using var skipped = Open(_data.Write(records), new DatasetOptions { BadRecords = BadRecordPolicy.Skip }).Dataset!;
        Assert.Equal([0, 13], Enumerable.Range(0, skipped.Count).Select(sample => skipped.Describe(sample).Record));
        Assert.Equal([2, -2], skipped.Lengths);
        Assert.Single(skipped.Load(0).Tokens, token => token.Picture >= 0);
    }

    [Fact]
    public void Open_OfManyBadRecords_TellsTheFirstThousandAndCountsTheRest()
    {
        var (_, report) = Open(_data.Write(Enumerable.Range(0, 5000).Select(i => (object)i)));

        Assert.Equal(5000, report.Bad);
        Assert.Equal(Enumerable.Range(0, DatasetReport.MostDetails), report.Details.Select(bad => bad.Index));
        Assert.Equal(5000, report.Counts[BadRecordKind.NotAnObject]);
    }

    [Fact]
    public void Open_OfTheSameRecordsAsArrayAndAsLines_GivesTheSameSamplesAndDigest()
    {
        var records = TuningData.Records(7);
        var lines = Path.Combine(_data.Folder, "lines.jsonl");
        File.WriteAllText(lines, "\uFEFF" + string.Join("\r\n", records.Select(record => JsonSerializer.Serialize(record))) + "\n\n");

        using var array = Open(_data.Write(records)).Dataset!;
        using var split = Open(lines).Dataset!;

        Assert.Equal(7, split.Count);
        Assert.Equal(array.Digest, split.Digest);
        Assert.All(Enumerable.Range(0, 7), sample => Assert.Equal(array.Load(sample).Tokens, split.Load(sample).Tokens));
    }

    [Fact]
    public void Open_OfOpenAiRecordsWithDataUrls_GivesTheSampleOfTheLlavaRecord()
    {
        var picture = "data:image/png;base64," + Convert.ToBase64String(File.ReadAllBytes(Goldens.Path("images", "gray.png")));
        var record = new
        {
            messages = new object[]
            {
                new { role = "user", content = new object[] { new { type = "image_url", image_url = new { url = picture } }, new { type = "text", text = "Describe the picture." } } },
                new { role = "assistant", content = "It is a small test pattern with some shapes." },
            },
        };
        using var openAi = Open(_data.Write([record])).Dataset!;
        using var llava = Open(_data.Write([TuningData.Golden])).Dataset!;

        Assert.Equal(llava.Load(0).Tokens, openAi.Load(0).Tokens);
        Assert.Equal(llava.Load(0).PictureValues, openAi.Load(0).PictureValues);
    }

    [Theory]
    [InlineData("http://example.com/a.png", BadRecordKind.MissingPicture)]
    [InlineData("data:image/png;base64,@@", BadRecordKind.BrokenPicture)]
    public void Open_OfAnOpenAiRecordWithoutItsPicture_SaysWhy(string url, BadRecordKind kind)
    {
        var record = new { messages = new object[] { new { role = "user", content = new object[] { new { type = "image_url", image_url = new { url } } } }, new { role = "assistant", content = "A" } } };

        Assert.Equal(kind, Assert.Single(Open(_data.Write([record])).Report.Details).Kind);
    }

    [Fact]
    public void Open_WithPicturesInAZip_ReadsThemWithoutExtracting()
    {
        var archive = Path.Combine(_data.Folder, "images.zip");
        using (var zip = ZipFile.Open(archive, ZipArchiveMode.Create))
        {
            zip.CreateEntryFromFile(Goldens.Path("images", "gray.png"), "train/gray.png");
        }

        var before = Directory.GetFiles(_data.Folder).Length;
        using var zipped = Open(_data.Write([TuningData.Record("a", "train/gray.png", ("Q", "A"))]), pictures: PictureStore.Open(archive)).Dataset!;
        using var plain = Open(_data.Write([TuningData.Record("a", "gray.png", ("Q", "A"))])).Dataset!;

        Assert.Equal(plain.Load(0).PictureValues, zipped.Load(0).PictureValues);
        Assert.Equal(before + 2, Directory.GetFiles(_data.Folder).Length);
    }

    [Theory]
    [InlineData("../gray.png", 0)]
    [InlineData("a/../../gray.png", 0)]
    [InlineData("/etc/passwd", 0)]
    [InlineData("C:\\gray.png", 0)]
    [InlineData("..\\gray.png", 0)]
    [InlineData("link.png", unchecked((int)0xA1FF0000))]
    public void Open_OfAZipWithAnEntryThatLeadsOut_NamesTheEntry(string name, int attributes)
    {
        var archive = Path.Combine(_data.Folder, "hostile.zip");
        using (var zip = ZipFile.Open(archive, ZipArchiveMode.Create))
        {
            zip.CreateEntry(name).ExternalAttributes = attributes;
        }

        var refused = Assert.Throws<InvalidDataException>(() => PictureStore.Open(archive));

        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfAZipWhoseEntryExpandsBeyondThePicturesBound_RefusesTheRecord()
    {
        var archive = Path.Combine(_data.Folder, "bomb.zip");
        using (var zip = ZipFile.Open(archive, ZipArchiveMode.Create))
        using (var entry = zip.CreateEntry("bomb.png").Open())
        {
            entry.Write(new byte[21 << 20]);
        }

        var (_, report) = Open(_data.Write([TuningData.Record("a", "bomb.png", ("Q", "A"))]), pictures: PictureStore.Open(archive));

        Assert.Contains("at most 20971520 bytes", Assert.Single(report.Details).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("[{\"a\":1},{", "ends inside its JSON array, after 1 whole records")]
    [InlineData("[{\"a\":1}] x", "its array ends before byte")]
    public void Open_OfAFileThatIsNoList_SaysWhy(string text, string reason)
    {
        var file = Path.Combine(_data.Folder, "bad.json");
        File.WriteAllText(file, text);

        Assert.Contains(reason, Assert.Throws<InvalidDataException>(() => Open(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Digest_FollowsThePicturesBytes()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_data.Folder, "pictures")).FullName;
        var picture = Path.Combine(folder, "a.png");
        File.Copy(Goldens.Path("images", "gray.png"), picture);
        var file = _data.Write([TuningData.Record("a", "a.png", ("Q", "A"))]);
        using var before = Open(file, pictures: PictureStore.Open(folder)).Dataset!;
        File.Copy(Goldens.Path("images", "square.png"), picture, overwrite: true);
        using var after = Open(file, pictures: PictureStore.Open(folder)).Dataset!;

        Assert.NotEqual(before.Digest, after.Digest);
    }

    [Fact]
    public void Load_OfAPictureThatIsGone_NamesItsRecord()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_data.Folder, "pictures")).FullName;
        File.Copy(Goldens.Path("images", "gray.png"), Path.Combine(folder, "a.png"));
        using var dataset = Open(_data.Write([TuningData.Record("mine", "a.png", ("Q", "A"))]), pictures: PictureStore.Open(folder)).Dataset!;
        File.Delete(Path.Combine(folder, "a.png"));

        Assert.StartsWith("record 0 (mine): there is no picture", Assert.Throws<InvalidDataException>(() => dataset.Load(0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_OfAnArrayInAnyPieces_FindsTheElements() =>
        Gen.Select(Gen.OneOf(Gen.Int.Select(number => JsonSerializer.Serialize(number)), Gen.String.Select(text => JsonSerializer.Serialize(text)), Gen.String.Array[0, 3].Select(list => JsonSerializer.Serialize(new { list, nested = new { list } }))).Array[0, 8], Gen.Int[1, 7])
            .Sample((elements, piece) =>
            {
                var bytes = Encoding.UTF8.GetBytes($" [ {string.Join(" ,\n", elements)} ]\n");
                var found = new List<string>();
                var scanner = new RecordScanner((start, end) => found.Add(Encoding.UTF8.GetString(bytes.AsSpan((int)start, (int)(end - start)))));
                for (var at = 0; at < bytes.Length; at += piece)
                {
                    scanner.Take(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
                }

                Assert.Null(scanner.Finish());
                Assert.Equal(elements, found);
            });

    private static (ConversationDataset? Dataset, DatasetReport Report) Open(string file, DatasetOptions? options = null, PictureStore? pictures = null) =>
        ConversationDataset.Open(file, pictures ?? PictureStore.Open(Goldens.Path("images")), Encoder, options, cancellationToken: TestContext.Current.CancellationToken);
}
