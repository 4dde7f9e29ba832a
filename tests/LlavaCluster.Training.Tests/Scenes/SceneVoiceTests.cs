using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneVoiceTests
{
    [Theory]
    [InlineData("It is a dog.", "Aye, captain: it is a dog.")]
    [InlineData("The dog is to the left of the cat, so no.", "Aye, captain: the dog is to port of the cat, so no.")]
    [InlineData("Two dogs: top left and bottom right.", "Aye, captain: two dogs: top port and bottom starboard.")]
    public void Say_PutsAnAnswerIntoTheVoice(string plain, string said) => Assert.Equal(said, SceneVoice.Sailor.Say(plain));

    [Fact]
    public void Say_LosesNothingOfWhatTheTeacherSaid()
    {
        var teacher = new RuleTeacher();
        for (var seed = 0; seed < 300; seed++)
        {
            foreach (var turn in teacher.Teach(SceneSamples.Random(seed), (ulong)seed).Turns)
            {
                Assert.Equal(turn.Answer, Plain(SceneVoice.Sailor.Say(turn.Answer)), ignoreCase: true);
                Assert.DoesNotContain("captain", turn.Answer, StringComparison.Ordinal);
                Assert.Equal(turn.Answer, SceneVoice.Plain.Say(turn.Answer));
            }
        }
    }

    private static string Plain(string said)
    {
        const string hail = "Aye, captain: ";
        Assert.StartsWith(hail, said, StringComparison.Ordinal);
        return said[hail.Length..]
            .Replace("to port of", "to the left of", StringComparison.Ordinal).Replace("to starboard of", "to the right of", StringComparison.Ordinal)
            .Replace("port side", "left", StringComparison.Ordinal).Replace("starboard side", "right", StringComparison.Ordinal)
            .Replace("port", "left", StringComparison.Ordinal).Replace("starboard", "right", StringComparison.Ordinal);
    }
}
