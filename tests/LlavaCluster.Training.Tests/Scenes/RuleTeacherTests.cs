using System.Globalization;
using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class RuleTeacherTests
{
    private const int Scenes = 1500;
    private static readonly RuleTeacher Teacher = new();
    private static readonly SceneGrader Grader = new();

    [Theory]
    [InlineData(SceneQuestionKind.Presence, 1.0)]
    [InlineData(SceneQuestionKind.Naming, 0.4)]
    [InlineData(SceneQuestionKind.Counting, 1.0)]
    [InlineData(SceneQuestionKind.Relation, 0.25)]
    [InlineData(SceneQuestionKind.Location, 0.4)]
    [InlineData(SceneQuestionKind.Locations, 0.1)]
    [InlineData(SceneQuestionKind.Contents, 1.0)]
    [InlineData(SceneQuestionKind.Description, 1.0)]
    public void Ask_RandomScenes_AgreesWithAnIndependentCheck(SceneQuestionKind kind, double leastShare)
    {
        var asked = 0;
        for (var seed = 0; seed < Scenes; seed++)
        {
            var annotation = SceneSamples.Random(seed);
            if (Teacher.Ask(annotation, kind, 5) is { } question)
            {
                asked++;
                Assert.Equal(new TeacherOracle(annotation).Answer(question), question.Expected);
            }
        }

        Assert.True(asked >= leastShare * Scenes, $"{asked} of {Scenes}");
    }

    [Fact]
    public void Teach_Places_AgreesWithAnIndependentCheck()
    {
        var all = 0;
        for (var seed = 0; seed < Scenes; seed++)
        {
            var annotation = SceneSamples.Random(seed);
            foreach (var turn in Teacher.Teach(annotation, SceneConversationKind.Places, 5).Turns.Where(turn => turn.Kind == SceneQuestionKind.Locations))
            {
                all += turn.Expected.Count == annotation.Instances.Count ? 1 : 0;
                Assert.Equal(new TeacherOracle(annotation).Answer(turn), turn.Expected);
            }
        }

        Assert.True(all >= 0.1 * Scenes, $"{all} of {Scenes}");
    }

    [Fact]
    public void Ask_Reasoning_NamesExactlyTheClassesThatTheClassFileNames()
    {
        (string Words, Func<SceneClass, bool> Holds, string Trait)[] topics =
        [
            ("can fly", item => item.Traits.Contains("flies"), "flies"),
            ("eat", item => item.Traits.Contains("edible"), "edible"),
            ("wheels", item => item.Traits.Contains("wheels"), "wheels"),
            ("four legs", item => item.Traits.Contains("legs4"), "legs4"),
            ("animal", item => item.Kind == "animal", ""),
            ("vehicle", item => item.Kind == "vehicle", ""),
        ];
        var seen = new HashSet<string>();
        for (var seed = 0; seed < Scenes; seed++)
        {
            var annotation = SceneSamples.Random(seed);
            var question = Teacher.Ask(annotation, SceneQuestionKind.Reasoning, 5);
            var topic = topics.FirstOrDefault(candidate => question?.Text.Contains(candidate.Words, StringComparison.Ordinal) == true);
            if (topic.Words is null)
            {
                continue;
            }

            var present = TeacherOracle.InReadingOrder(annotation).Select(instance => SceneClasses.Default[instance.Category]).Distinct().ToList();
            var matches = present.Where(topic.Holds).Select(item => item.Name).ToList();
            Assert.Equal(matches.Count == 0 ? ["nothing"] : matches, question!.Expected);
            Assert.DoesNotContain(present, item => item.Unclear.Contains(topic.Trait));
            seen.Add(topic.Words);
        }

        Assert.Equal(topics.Length, seen.Count);
    }

    [Fact]
    public void Teach_RandomScenes_EveryAnswerOfItsOwnIsGradedCorrect()
    {
        for (var seed = 0; seed < Scenes; seed++)
        {
            foreach (var kind in Enum.GetValues<SceneConversationKind>().Where(kind => kind != SceneConversationKind.Caption))
            {
                foreach (var turn in Teacher.Teach(SceneSamples.Random(seed), kind, 9).Turns)
                {
                    Assert.True(Grader.Grade(turn, turn.Answer).Correct, $"{turn.Text} -> {turn.Answer}");
                }
            }
        }
    }

    [Fact]
    public void Ask_Presence_IsBalancedAndAbsentClassesAreOftenOfAPresentKind()
    {
        var yes = 0;
        var related = 0;
        for (var seed = 0; seed < Scenes; seed++)
        {
            var annotation = SceneSamples.Random(seed);
            var question = Teacher.Ask(annotation, SceneQuestionKind.Presence, 2)!;
            yes += question.Expected[0] == "yes" ? 1 : 0;
            var kinds = annotation.Instances.Select(instance => SceneClasses.Default[instance.Category].Kind).ToHashSet();
            var asked = SceneClasses.Default.Items.Where(item => question.Text.Contains(item.Indefinite, StringComparison.Ordinal)).MaxBy(item => item.Name.Length)!;
            related += question.Expected[0] == "no" && kinds.Contains(asked.Kind) ? 1 : 0;
        }

        Assert.InRange(yes, Scenes * 0.46, Scenes * 0.54);
        Assert.InRange(related, Scenes * 0.25, Scenes * 0.48);
    }

    [Fact]
    public void Teach_SameSeed_GivesTheSameTextAndAnotherSeedAnother()
    {
        var annotation = SceneSamples.Random(7);
        string Text(ulong seed) => string.Join('|', Teacher.Teach(annotation, SceneConversationKind.Conversation, seed).Turns.Select(turn => turn.Text + turn.Answer));

        Assert.Equal(Text(1), Text(1));
        Assert.True(Enumerable.Range(2, 8).Select(seed => Text((ulong)seed)).Distinct().Count() >= 7);
    }

    [Fact]
    public void Teach_ManyScenes_DrawsAllKindsAndUsesASmallVocabulary()
    {
        var words = new HashSet<string>();
        var kinds = new Dictionary<SceneConversationKind, int>();
        var followUps = 0;
        for (var seed = 0; seed < 10000; seed++)
        {
            var conversation = Teacher.Teach(SceneSamples.Random(seed), 3);
            kinds[conversation.Kind] = kinds.GetValueOrDefault(conversation.Kind) + 1;
            Assert.InRange(conversation.Turns.Count, 1, 6);
            followUps += Teacher.Teach(SceneSamples.Random(seed), SceneConversationKind.Conversation, 3).Turns.Count(turn => turn.Text.EndsWith(" it?", StringComparison.Ordinal));
            foreach (var turn in conversation.Turns)
            {
                words.UnionWith($"{turn.Text} {turn.Answer}".Split([' ', '.', ',', ':', '?'], StringSplitOptions.RemoveEmptyEntries));
            }
        }

        Assert.InRange(words.Count, 250, 600);
        Assert.True(kinds[SceneConversationKind.Conversation] > kinds[SceneConversationKind.Description]);
        Assert.InRange(kinds[SceneConversationKind.Description], 2600, 3000);
        Assert.True(kinds[SceneConversationKind.Conversation] > 2800, $"{kinds[SceneConversationKind.Conversation]}");
        Assert.True(kinds[SceneConversationKind.Reasoning] > 1000, $"{kinds[SceneConversationKind.Reasoning]}");
        Assert.True(followUps > 300, $"{followUps}");
    }

    [Fact]
    public void Ask_WhenTwoThingsAreAtTheSameHeight_NeverAsksWhichIsAbove()
    {
        var annotation = SceneSamples.Annotation(("dog", 5, 40, 30, 30), ("apple", 70, 45, 30, 30));

        for (ulong seed = 0; seed < 300; seed++)
        {
            var text = Teacher.Ask(annotation, SceneQuestionKind.Relation, seed)?.Text ?? "";
            Assert.False(text.Contains("above", StringComparison.Ordinal) || text.Contains("below", StringComparison.Ordinal), text);
        }
    }

    [Fact]
    public void Ask_WhenAClassRepeats_NeverSpeaksOfItAsTheOnlyOne()
    {
        var annotation = SceneSamples.Annotation(("dog", 2, 2, 30, 30), ("dog", 78, 2, 30, 30), ("apple", 40, 76, 30, 30));

        for (ulong seed = 0; seed < 300; seed++)
        {
            foreach (var kind in (SceneQuestionKind[])[SceneQuestionKind.Relation, SceneQuestionKind.Location])
            {
                Assert.DoesNotContain("the dog", Teacher.Ask(annotation, kind, seed)?.Text ?? "", StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Teach_ListsOfEverything_AreInReadingOrderHoweverTheAnnotationLists()
    {
        (string, int, int, int, int)[] objects = [("dog", 78, 78, 30, 30), ("apple", 2, 2, 30, 30), ("car", 40, 2, 30, 30), ("dog", 2, 40, 30, 30)];
        var annotations = Enumerable.Range(0, 4).Select(first => SceneSamples.Annotation([.. objects[first..], .. objects[..first]]));

        var answers = annotations.SelectMany(annotation => Enumerable.Range(0, 20).Select(seed => Teacher.Ask(annotation, SceneQuestionKind.Contents, (ulong)seed)!.Answer)).Distinct();

        Assert.Equal(["The picture shows an apple, a car and two dogs."], answers);
    }

    [Fact]
    public void Ask_Counting_GivesTheNumberAndThenWhereEachIs()
    {
        var annotation = SceneSamples.Annotation(("dog", 78, 78, 30, 30), ("apple", 2, 2, 30, 30), ("dog", 2, 78, 30, 30));

        var answers = Enumerable.Range(0, 200).Select(seed => Teacher.Ask(annotation, SceneQuestionKind.Counting, (ulong)seed)!.Answer).Where(answer => !answer.StartsWith("There are no", StringComparison.Ordinal));

        Assert.Equal(["One apple: top left.", "Three objects: an apple top left, a dog bottom left and a dog bottom right.", "Two dogs: bottom left and bottom right."], answers.Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Teach_Conversations_AskForSizesAndForWhatRepeatsMoreOftenThanTheyFall()
    {
        var (sizes, counts) = (0, new int[6]);
        for (var seed = 0; seed < 3000; seed++)
        {
            foreach (var turn in Teacher.Teach(SceneSamples.Random(seed), SceneConversationKind.Conversation, 3).Turns)
            {
                sizes += turn.Text.Contains("largest", StringComparison.Ordinal) || turn.Text.Contains("smallest", StringComparison.Ordinal) ? 1 : 0;
                counts[turn.Kind == SceneQuestionKind.Counting ? int.Parse(turn.Expected[0], CultureInfo.InvariantCulture) : 0]++;
            }
        }

        Assert.True(sizes > 500, $"{sizes}");
        Assert.True(counts[2] + counts[3] + counts[4] > counts[1], string.Join(' ', counts));
    }

    [Fact]
    public void Ask_Description_PlacesEverythingInReadingOrderAndThenCountsIt()
    {
        var annotation = SceneSamples.Annotation(("dog", 78, 78, 30, 30), ("apple", 2, 2, 30, 30), ("dog", 2, 78, 30, 30));

        var answers = Enumerable.Range(0, 40).Select(seed => Teacher.Ask(annotation, SceneQuestionKind.Description, (ulong)seed)!.Answer).Distinct().Order();

        Assert.Equal(["At the top left is an apple. At the bottom left is a dog. At the bottom right is a dog. There are three objects in the picture."], answers);
    }
}
