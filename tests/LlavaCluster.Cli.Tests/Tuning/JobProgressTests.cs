using System.Text.Json.Nodes;
using LlavaCluster.Cli.Tuning;

namespace LlavaCluster.Cli.Tests.Tuning;

public sealed class JobProgressTests
{
    [Fact]
    public void Take_OfMetrics_TellsPaceAndWhatIsLeft()
    {
        var progress = new JobProgress();
        Assert.True(progress.Take(Line(10, 0, "0.9")));
        Assert.Equal("step 10/100, loss 0.9000, rate 2.00e-4, 512 tokens/s", progress.Line);
        Assert.True(progress.Take(Line(20, 30, "0.8")));
        Assert.Equal("step 20/100, loss 0.8000, rate 2.00e-4, 512 tokens/s, 00:04:00 left", progress.Line);
        Assert.Equal(0.2, progress.Share);
        Assert.Equal([(10.0, 0.9), (20.0, 0.8)], progress.Losses);
    }

    [Fact]
    public void Take_OfAStepDoneAgain_OrOfNoNumber_KeepsTheCurveInOrder()
    {
        var progress = new JobProgress();
        progress.Take(Line(10, 0, "0.9"));
        progress.Take(Line(20, 10, "null"));
        progress.Take(Line(10, 20, "0.7"));
        Assert.Equal([(10.0, 0.9)], progress.Losses);
        Assert.Equal(0.1, progress.Share);
    }

    [Fact]
    public void Take_OfAMessage_ChangesNothing()
    {
        var progress = new JobProgress();
        Assert.False(progress.Take(JsonNode.Parse("""{"type":"message","message":"x","created_at":1,"data":{}}""")!.AsObject()));
        Assert.Equal(("waits", 0.0), (progress.Line, progress.Share));
    }

    private static JsonObject Line(int step, int at, string loss) => JsonNode.Parse(
        $$"""{"type":"metrics","created_at":{{at}},"data":{"step":{{step}},"total_steps":100,"train_loss":{{loss}},"learning_rate":0.0002,"tokens_per_second":512} }""")!.AsObject();
}
