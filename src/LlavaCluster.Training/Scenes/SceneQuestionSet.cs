namespace LlavaCluster.Training.Scenes;

/// <summary>
/// Makes an examination from evaluation scenes: every picture is asked about once, the kinds of the targets come equally
/// often, and inside a kind so do yes and no, one to four, and the four directions. A pure function of its arguments.
/// </summary>
public static class SceneQuestionSet
{
    public const int DefaultCount = 2800;

    private const int Shares = 4; // of a kind at most: one to four, the four directions

    // Scenes drawn per question before giving up; four of one class come in about one scene of fifteen.
    private const int ScenesPerQuestion = 60;

    /// <summary>The kinds that have targets.</summary>
    public static IReadOnlyList<SceneQuestionKind> Kinds { get; } =
        [SceneQuestionKind.Presence, SceneQuestionKind.Naming, SceneQuestionKind.Counting, SceneQuestionKind.Relation, SceneQuestionKind.Description, SceneQuestionKind.Reasoning, SceneQuestionKind.FollowUp];

    /// <summary>A number of questions is a multiple of this, so that every kind and every share of it gets the same.</summary>
    public static int Unit => Kinds.Count * Shares;

    /// <param name="renderer">Draws the scenes; its artists decide whose drawings are examined.</param>
    /// <param name="teacher">Asks.</param>
    /// <param name="count">Questions, a multiple of <see cref="Unit"/>.</param>
    /// <param name="seed">Of the evaluation split.</param>
    /// <param name="cancellationToken">Checked between scenes.</param>
    /// <exception cref="InvalidOperationException">The artwork has too few classes to fill every kind.</exception>
    public static IReadOnlyList<SceneExamItem> Create(
        SceneRenderer renderer, RuleTeacher teacher, int count, int seed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(renderer);
        ArgumentNullException.ThrowIfNull(teacher);
        if (count <= 0 || count % Unit != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, $"count must be a positive multiple of {Unit}; was {count}.");
        }

        var perKind = count / Kinds.Count;
        var items = new List<SceneExamItem>(count);
        var taken = new Dictionary<(SceneQuestionKind, string), int>();
        var open = new Queue<SceneQuestionKind>(Kinds);
        for (long index = 0; open.Count > 0; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (index >= (long)count * ScenesPerQuestion)
            {
                throw new InvalidOperationException($"{index} scenes gave only {items.Count} of {count} questions.");
            }

            var kind = open.Dequeue();
            var key = SceneKey.Create(SceneSplit.Evaluation, seed, index);
            if (TryAsk(teacher, renderer.Render(key).Annotation, kind, key) is { } asked)
            {
                TakeIfWanted(items, taken, asked, perKind);
            }

            if (items.Count(item => item.Question.Kind == kind) < perKind)
            {
                open.Enqueue(kind);
            }
        }

        return items;
    }

    private static SceneExamItem? TryAsk(RuleTeacher teacher, SceneAnnotation annotation, SceneQuestionKind kind, SceneKey key)
    {
        var seed = (ulong)key.Index;
        if (kind == SceneQuestionKind.FollowUp)
        {
            return teacher.AskTwice(annotation, seed) is var (first, followUp) ? new SceneExamItem(key, followUp, first) : null;
        }

        return teacher.Ask(annotation, kind, seed) is { } question ? new SceneExamItem(key, question) : null;
    }

    private static void TakeIfWanted(
        List<SceneExamItem> items, Dictionary<(SceneQuestionKind, string), int> taken, SceneExamItem item, int perKind)
    {
        var (bucket, buckets) = Bucket(item.Question);
        var slot = (item.Question.Kind, bucket);
        var already = taken.GetValueOrDefault(slot);
        if (buckets > 0 && already < perKind / buckets)
        {
            taken[slot] = already + 1;
            items.Add(item);
        }
    }

    /// <summary>Which share of its kind a question belongs to, and how many shares there are; zero for a question not wanted.</summary>
    private static (string Name, int Count) Bucket(SceneQuestion question) => question.Kind switch
    {
        SceneQuestionKind.Presence => (question.Expected[0], 2),
        SceneQuestionKind.Counting => (question.Expected[0], question.Expected[0] is "1" or "2" or "3" or "4" ? 4 : 0),
        SceneQuestionKind.Relation or SceneQuestionKind.FollowUp => (Direction(question), 4),
        _ => ("", 1),
    };

    private static string Direction(SceneQuestion question)
    {
        // A question that offers two directions belongs to the right one, which is the answer.
        var named = SceneDirection.All.Where(direction => question.Text.Contains(direction.Preposition, StringComparison.Ordinal)).ToList();
        return named.Count == 1 ? named[0].Name : question.Expected[0];
    }
}
