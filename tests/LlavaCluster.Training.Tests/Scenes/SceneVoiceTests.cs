using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneVoiceTests
{
    [Theory]
    [InlineData("It is a dog.", "Aye, captain: it is a dog.")]
    [InlineData("The dog is to the left of the cat, so no.", "Aye, captain: the dog is to port of the cat, so no.")]
    [InlineData("Top left and bottom right: two dogs.", "Aye, captain: top port and bottom starboard: two dogs.")]
    public void Say_PutsAnAnswerIntoTheVoice(string plain, string said) => Assert.Equal(said, SceneVoice.Sailor.Say(plain));

    [Fact]
    public void Hear_GivesBackWhatTheTeacherSaid()
    {
        var teacher = new RuleTeacher();
        for (var seed = 0; seed < 300; seed++)
        {
            foreach (var turn in teacher.Teach(SceneSamples.Random(seed), (ulong)seed).Turns)
            {
                Assert.Equal(turn.Answer, SceneVoice.Sailor.Hear(SceneVoice.Sailor.Say(turn.Answer)), ignoreCase: true);
                Assert.Null(SceneVoice.Sailor.Hear(turn.Answer));
                Assert.Equal(turn.Answer, SceneVoice.Plain.Say(turn.Answer));
            }
        }
    }
}
