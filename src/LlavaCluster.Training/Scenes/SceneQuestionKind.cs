namespace LlavaCluster.Training.Scenes;

/// <summary>What a question asks for; says how <see cref="SceneQuestion.Expected"/> is read and graded.</summary>
public enum SceneQuestionKind
{
    /// <summary>Is there an X? Expected: "yes" or "no".</summary>
    Presence,

    /// <summary>What is at some place, or largest, or alone? Expected: one category.</summary>
    Naming,

    /// <summary>How many X? Expected: a number in digits.</summary>
    Counting,

    /// <summary>Is X left of Y? Is it left or right? What is left of X? Expected: "yes", "no", a direction, or a category.</summary>
    Relation,

    /// <summary>Where is X? Expected: the name of a <see cref="ScenePlace"/>.</summary>
    Location,

    /// <summary>What is in the picture? Expected: every object's category, repeated as often as it is there.</summary>
    Contents,

    /// <summary>Describe it in detail. Expected: as for <see cref="Contents"/>.</summary>
    Description,

    /// <summary>Which of these can fly? Expected: the categories that can, or "nothing".</summary>
    Reasoning,

    /// <summary>Where are X and Y? Where is everything? Expected: each one's category and the name of its <see cref="ScenePlace"/>, as "dog top left".</summary>
    Locations,

    /// <summary>What is left of it?, after a question whose answer is what "it" is. Expected: a category.</summary>
    FollowUp,
}
