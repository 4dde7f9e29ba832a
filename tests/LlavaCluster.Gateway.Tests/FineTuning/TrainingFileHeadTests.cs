using System.Text;
using LlavaCluster.Gateway.Files;

namespace LlavaCluster.Gateway.Tests.FineTuning;

public sealed class TrainingFileHeadTests
{
    [Theory]
    [InlineData("[{\"id\":\"1\"},{\"id\":\"2\"}]", true)]
    [InlineData(" \n\t[{\"id\":", false)]
    [InlineData("{\"id\":\"1\"}\n{\"id\":\"2\"}\n", true)]
    [InlineData("{\"id\":\"1\"}\r\n{\"id\":\"\u00e4", false)]
    [InlineData("PK\u0003\u0004anything", false)]
    [InlineData("PK\u0003\u0004", true)]
    public void Problem_OfWhatMayBeOne_IsNull(string head, bool isWhole) => Assert.Null(TrainingFileHead.Problem(Encoding.UTF8.GetBytes(head), isWhole));

    [Theory]
    [InlineData("", "must not be empty.")]
    [InlineData("PK\u0005\u0006", "must hold pictures; the zip holds no file.")]
    [InlineData("\uFEFF[]", "must be UTF-8 without a byte order mark; it begins with one.")]
    [InlineData("id,text\n", "must be a JSON array ('['), JSON lines ('{') or a zip ('PK'); it begins with 69642C74.")]
    [InlineData("[{\"id\":1},]", "must be JSON of at most 64 levels; it is not, at line 1, byte 10.")]
    [InlineData("{\"id\":1}\n{id:2}\n", "must be JSON of at most 64 levels; it is not, at line 2, byte 1.")]
    [InlineData("[{\"id\":1}", "must be JSON of at most 64 levels; it is not, at line 1, byte 9.")]
    public void Problem_OfWhatIsNone_NamesIt(string file, string problem) => Assert.Equal(problem, TrainingFileHead.Problem(Encoding.UTF8.GetBytes(file), isWhole: true));

    [Fact]
    public void Problem_OfAHeadThatIsCutAnywhere_IsNull()
    {
        var file = Encoding.UTF8.GetBytes("[{\"id\":\"a\u00e4\U0001F600\",\"x\":[1.5e3,true,null]},{\"y\":{}}]");
        for (var length = 1; length < file.Length; length++)
        {
            Assert.Null(TrainingFileHead.Problem(file.AsSpan(0, length), isWhole: false));
        }
    }
}
