using LlavaCluster.Training.Scenes;

namespace LlavaCluster.Training.Tests.Scenes;

public sealed class SceneGraderTests
{
    private static readonly SceneGrader Grader = new();

    [Theory]
    [InlineData(SceneQuestionKind.Presence, "yes", "Yes, there are two dogs.", true)]
    [InlineData(SceneQuestionKind.Presence, "yes", "YES", true)]
    [InlineData(SceneQuestionKind.Presence, "no", "There isn't a dog here.", true)]
    [InlineData(SceneQuestionKind.Presence, "no", "Yes, there is no dog.", false)]
    [InlineData(SceneQuestionKind.Presence, "yes", "A dog.", false)]
    [InlineData(SceneQuestionKind.Presence, "yes", "", false)]
    [InlineData(SceneQuestionKind.Counting, "2", "There are two dogs.", true)]
    [InlineData(SceneQuestionKind.Counting, "2", "2", true)]
    [InlineData(SceneQuestionKind.Counting, "1", "I can see a dog.", true)]
    [InlineData(SceneQuestionKind.Counting, "0", "There are no dogs.", true)]
    [InlineData(SceneQuestionKind.Counting, "2", "There are two or three dogs.", false)]
    [InlineData(SceneQuestionKind.Counting, "2", "There are dogs.", false)]
    [InlineData(SceneQuestionKind.Counting, "3", "There are 13 dogs.", false)]
    [InlineData(SceneQuestionKind.Naming, "dog", "It is a dog.", true)]
    [InlineData(SceneQuestionKind.Naming, "light bulb", "That's a light-bulb!", true)]
    [InlineData(SceneQuestionKind.Naming, "bicycle", "a red bike", true)]
    [InlineData(SceneQuestionKind.Naming, "clover", "a four-leaf clover", true)]
    [InlineData(SceneQuestionKind.Naming, "dog", "It is a dog or a cat.", false)]
    [InlineData(SceneQuestionKind.Naming, "star", "A starfish.", false)]
    [InlineData(SceneQuestionKind.Naming, "dog", "It is a cat.", false)]
    [InlineData(SceneQuestionKind.Naming, "dog", "There is no dog.", false)]
    [InlineData(SceneQuestionKind.Location, "top left", "It is at the top left of the picture.", true)]
    [InlineData(SceneQuestionKind.Location, "top left", "in the upper-left corner", true)]
    [InlineData(SceneQuestionKind.Location, "left", "in the middle on the left", true)]
    [InlineData(SceneQuestionKind.Location, "center", "In the middle.", true)]
    [InlineData(SceneQuestionKind.Location, "left", "at the top left", false)]
    [InlineData(SceneQuestionKind.Location, "left", "left or right", false)]
    [InlineData(SceneQuestionKind.Location, "center", "In the picture.", false)]
    [InlineData(SceneQuestionKind.Reasoning, "nothing", "Nothing in the picture can fly.", true)]
    [InlineData(SceneQuestionKind.Reasoning, "nothing", "Nothing but the owl.", false)]
    [InlineData(SceneQuestionKind.Reasoning, "owl,bee", "The bees and the owl can fly.", true)]
    [InlineData(SceneQuestionKind.Reasoning, "owl,bee", "The owl can fly.", false)]
    public void Grade_OneAnswer_IsTolerantToWordingAndStrictToContent(SceneQuestionKind kind, string expected, string answer, bool correct)
    {
        var question = new SceneQuestion(kind, "What?", "", expected.Split(','));

        Assert.Equal(new SceneGrade(correct, 0, 0, 0), Grader.Grade(question, answer));
    }

    [Theory]
    [InlineData("The dog is at the top left and the cat is on the right.", true)]
    [InlineData("The cat is on the right, the dog in the upper left corner.", true)]
    [InlineData("The dog is on the right and the cat is at the top left.", false)]
    [InlineData("The dog and the cat are at the top left.", false)]
    [InlineData("The dog is at the top left.", false)]
    [InlineData("The dog is at the top left, the cat is on the right and the owl is at the bottom.", false)]
    public void Grade_SeveralPlaces_AsksForEachThingWithItsOwn(string answer, bool correct) =>
        Assert.Equal(correct, Grader.Grade(new SceneQuestion(SceneQuestionKind.Locations, "Where are the dog and the cat?", "", ["dog top left", "cat right"]), answer).Correct);

    [Theory]
    [InlineData("Is the dog above the cat?", "yes", "Yes, it is.", true)]
    [InlineData("Is the dog above the cat?", "no", "No, it is below the cat.", true)]
    [InlineData("Is the dog above or below the cat?", "above", "It is over the cat.", true)]
    [InlineData("Is the dog above or below the cat?", "above", "It is above or below the cat.", false)]
    [InlineData("What is above the cat?", "dog", "The dog is above the cat.", true)]
    [InlineData("What is above the cat?", "dog", "The cat.", false)]
    [InlineData("What is above the cat?", "dog", "The dog and the owl.", false)]
    public void Grade_Relation_IgnoresWhatTheQuestionNamesItself(string text, string expected, string answer, bool correct)
    {
        var question = new SceneQuestion(SceneQuestionKind.Relation, text, "", [expected]);

        Assert.Equal(correct, Grader.Grade(question, answer).Correct);
    }

    [Theory]
    [InlineData("The picture shows three objects: two dogs and an apple. The dogs are at the top. The apple is on the left.", true, 3, 3)]
    [InlineData("A dog on the left, a dog on the right and an apple.", true, 3, 3)]
    [InlineData("One dog is on the left, one dog on the right. An apple lies below.", true, 3, 3)]
    [InlineData("Dogs and an apple, but no cat.", true, 3, 3)]
    [InlineData("A dog and an apple.", false, 2, 2)]
    [InlineData("Three dogs and an owl.", false, 2, 4)]
    [InlineData("It is a nice day.", false, 0, 0)]
    public void Grade_Description_CountsEveryObject(string answer, bool correct, int matched, int named)
    {
        var question = new SceneQuestion(SceneQuestionKind.Description, "Describe.", "", ["dog", "apple", "dog"]);

        Assert.Equal(new SceneGrade(correct, matched, named, 3), Grader.Grade(question, answer));
    }
}
