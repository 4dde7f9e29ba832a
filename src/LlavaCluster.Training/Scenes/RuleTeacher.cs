namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Makes LLaVA-style instruction data from captions and boxes alone, as the paper's text-only teacher does, by rules.
/// It asks nothing that the boxes leave open: ties and near ties are passed over. Pure and thread-safe; the same annotation
/// and seed give the same text.
/// </summary>
public sealed class RuleTeacher
{
    private const int TriesPerTurn = 8;
    private const int FewestTurns = 3, MostTurns = 6; // a picture costs a learner as much as three answers
    private const int ReasoningTurns = 4;
    private const float FollowUpShare = 0.6f; // where the last turn named one thing and the boxes allow it
    private static readonly float[] MixWeights = [0.4f, 0.28f, 0.16f, 0.16f]; // conversation, description, reasoning, places

    // Turns of a conversation: the harder, the more often. Most scenes hold one of everything, and few questions are about sizes: asked as they fall, counting would be learned
    // as "one", and of sizes little.
    private static readonly (Func<SceneView, SceneRandom, SceneQuestion?> TryAsk, float Weight)[] TurnWeights =
    [
        (PresenceQuestions.TryAsk, 0.05f),
        (NamingQuestions.TryAsk, 0.08f),
        (NamingQuestions.TryAskSize, 0.14f),
        (CountingQuestions.TryAsk, 0.14f),
        (CountingQuestions.TryAskRepeated, 0.14f),
        (RelationQuestions.TryAsk, 0.2f),
        (LocationQuestions.TryAsk, 0.06f),
        (LocationQuestions.TryAskSeveral, 0.12f),
        (DescriptionQuestions.AskContents, 0.1f),
    ];

    private static readonly float[] TurnKindWeights = [.. TurnWeights.Select(entry => entry.Weight)];
    private readonly SceneClasses _classes;

    public RuleTeacher(SceneClasses? classes = null) => _classes = classes ?? SceneClasses.Default;

    /// <summary>One conversation of a kind drawn in the mixture's proportions.</summary>
    public SceneConversation Teach(SceneAnnotation annotation, ulong seed)
    {
        var kind = (SceneConversationKind)(1 + SceneRandom.For(annotation.ImageId, seed, 0).PickWeighted(MixWeights));
        return Teach(annotation, kind, seed);
    }

    /// <summary>One conversation of the given kind; a scene without matter for reasoning or for places gets a plain conversation instead.</summary>
    public SceneConversation Teach(SceneAnnotation annotation, SceneConversationKind kind, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        var view = new SceneView(_classes, annotation);
        var random = SceneRandom.For(annotation.ImageId, seed, 1 + (ulong)kind);
        return kind switch
        {
            SceneConversationKind.Caption => new(kind, annotation.ImageId, [DescriptionQuestions.AskCaption(view, annotation, random)]),
            SceneConversationKind.Description => new(kind, annotation.ImageId, [DescriptionQuestions.Ask(view, random)]),
            SceneConversationKind.Reasoning when Reason(view, random) is { Count: > 0 } turns => new(kind, annotation.ImageId, turns),
            SceneConversationKind.Places when AskPlaces(view, random) is { } question => new(kind, annotation.ImageId, [question]),
            _ => new(SceneConversationKind.Conversation, annotation.ImageId, Converse(view, random)),
        };
    }

    /// <summary>One question that stands on its own, or null when the scene allows none of that kind.</summary>
    public SceneQuestion? Ask(SceneAnnotation annotation, SceneQuestionKind kind, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        return TryAsk(new SceneView(_classes, annotation), kind, SceneRandom.For(annotation.ImageId, seed, 100 + (ulong)kind));
    }

    /// <summary>A question that names one thing and one about what is beside "it", or null when the scene allows no such pair.</summary>
    public (SceneQuestion First, SceneQuestion FollowUp)? AskTwice(SceneAnnotation annotation, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        var view = new SceneView(_classes, annotation);
        var random = SceneRandom.For(annotation.ImageId, seed, 100 + (ulong)SceneQuestionKind.FollowUp);
        return NamingQuestions.TryAsk(view, random) is { } first && RelationQuestions.TryFollowUp(view, first, random) is { } followUp ? (first, followUp) : null;
    }

    private static List<SceneQuestion> Converse(SceneView view, SceneRandom random)
    {
        var turns = new List<SceneQuestion>();
        var wanted = FewestTurns + random.Next(MostTurns - FewestTurns + 1);
        var weights = TurnKindWeights.ToArray();
        for (var tries = 0; turns.Count < wanted && tries < wanted * TriesPerTurn; tries++)
        {
            if (turns.Count > 0 && random.Chance(FollowUpShare) && RelationQuestions.TryFollowUp(view, turns[^1], random) is { } followUp)
            {
                turns.Add(followUp);
                continue;
            }

            var drawn = random.PickWeighted(weights);
            var question = TurnWeights[drawn].TryAsk(view, random);
            if (question is null)
            {
                weights[drawn] = 0; // nothing of that kind to ask here; presence always has something
            }
            else if (turns.TrueForAll(turn => turn.Text != question.Text))
            {
                turns.Add(question);
            }
        }

        return turns;
    }

    /// <summary>Several questions of one picture, each about something else: which things have a trait is learned class by class, and one question tells of few.</summary>
    private static List<SceneQuestion> Reason(SceneView view, SceneRandom random)
    {
        var turns = new List<SceneQuestion>();
        for (var tries = 0; turns.Count < ReasoningTurns && tries < ReasoningTurns * 2; tries++)
        {
            if (ReasoningQuestions.TryAsk(view, random) is { } question && turns.TrueForAll(turn => turn.Text != question.Text && turn.Answer != question.Answer))
            {
                turns.Add(question);
            }
        }

        return turns;
    }

    private static SceneQuestion? AskPlaces(SceneView view, SceneRandom random) =>
        random.Chance(1 / 3f) ? LocationQuestions.TryAskSeveral(view, random) : LocationQuestions.TryAskAll(view, random);

    private static SceneQuestion? TryAsk(SceneView view, SceneQuestionKind kind, SceneRandom random) => kind switch
    {
        SceneQuestionKind.Presence => PresenceQuestions.TryAsk(view, random),
        SceneQuestionKind.Naming => NamingQuestions.TryAsk(view, random),
        SceneQuestionKind.Counting => CountingQuestions.TryAsk(view, random),
        SceneQuestionKind.Relation => RelationQuestions.TryAsk(view, random),
        SceneQuestionKind.Location => LocationQuestions.TryAsk(view, random),
        SceneQuestionKind.Locations => LocationQuestions.TryAskSeveral(view, random),
        SceneQuestionKind.Contents => DescriptionQuestions.AskContents(view, random),
        SceneQuestionKind.Description => DescriptionQuestions.Ask(view, random),
        SceneQuestionKind.Reasoning => ReasoningQuestions.TryAsk(view, random),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, $"kind must be a question kind; was {kind}."),
    };
}
