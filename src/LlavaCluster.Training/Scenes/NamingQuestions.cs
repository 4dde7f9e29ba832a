namespace LlavaCluster.Training.Scenes;

/// <summary>Name the object at a place, the outermost in a direction, the largest or smallest, or the only one.</summary>
internal static class NamingQuestions
{
    // A thing is largest or smallest only when the next one differs by this factor in area.
    private const float ClearAreaRatio = 1.5f;
    private const float ClearPlaceMargin = 0.04f;

    private static readonly ScenePlace[] AllPlaces =
        [.. from row in (int[])[-1, 0, 1] from column in (int[])[-1, 0, 1] select new ScenePlace(column, row)];

    private static readonly string[] OnlyFrames = ["What is this?", "What is in the picture?", "What do you see?", "Name the object in the picture.", "What object is this?"];
    private static readonly string[] PlaceFrames = ["What is {0} of the picture?", "Which object is {0}?", "Name the object {0}.", "What do you see {0}?"];
    private static readonly string[] ExtremeFrames = ["What is the {0} object?", "Which object is the {0}?", "Name the {0} object."];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random)
    {
        if (view.Things.Count == 0)
        {
            return null;
        }

        if (view.Things.Count == 1)
        {
            return Question(random.Pick(OnlyFrames), view.Things[0]);
        }

        return random.Next(3) switch
        {
            0 => AskPlace(view, random),
            1 => AskOutermost(view, random),
            _ => TryAskSize(view, random),
        };
    }

    private static SceneQuestion? AskPlace(SceneView view, SceneRandom random)
    {
        var clear = AllPlaces
            .Select(place => (place, thing: OnlyThing(view, place)))
            .Where(candidate => candidate.thing is not null)
            .ToList();
        if (clear.Count == 0)
        {
            return null;
        }

        var (place, thing) = random.Pick(clear);
        return Question(SceneWording.Fill(random, PlaceFrames, place.Phrase()), thing!);
    }

    /// <summary>
    /// The one thing well inside the place, when no other is in it or near its border. Corners and the centre are ninths;
    /// "on the left" and the other sides are whole thirds, because people count the corners in.
    /// </summary>
    private static SceneThing? OnlyThing(SceneView view, ScenePlace place)
    {
        var near = view.Things.Where(thing => Inside(thing, place, ClearPlaceMargin)).ToList();
        return near.Count == 1 && Inside(near[0], place, -ClearPlaceMargin) ? near[0] : null;
    }

    private static bool Inside(SceneThing thing, ScenePlace place, float margin)
    {
        var side = place.Column == 0 != (place.Row == 0);
        return (side && place.Column == 0 || InsideThird(thing.X, place.Column, margin))
            && (side && place.Row == 0 || InsideThird(thing.Y, place.Row, margin));
    }

    private static bool InsideThird(float position, int third, float margin)
    {
        var low = (third + 1) / 3f;
        return position > low - margin && position < low + 1 / 3f + margin;
    }

    private static SceneQuestion? AskOutermost(SceneView view, SceneRandom random)
    {
        var direction = random.Pick(SceneDirection.All);
        var thing = view.Things.MaxBy(candidate => direction.SignX * candidate.X + direction.SignY * candidate.Y)!;
        var clear = view.Things.All(other => other == thing || direction.Distance(thing, other) >= SceneDirection.ClearMargin);
        return clear ? Question(SceneWording.Fill(random, ExtremeFrames, direction.Superlative), thing) : null;
    }

    /// <summary>The largest or the smallest of several; null where none is clearly that.</summary>
    public static SceneQuestion? TryAskSize(SceneView view, SceneRandom random)
    {
        if (view.Things.Count < 2)
        {
            return null;
        }

        var bySize = view.Things.OrderByDescending(thing => thing.Area).ToList();
        if (random.Chance(0.5f))
        {
            return bySize[0].Area >= ClearAreaRatio * bySize[1].Area ? Question(SceneWording.Fill(random, ExtremeFrames, "largest"), bySize[0]) : null;
        }

        return bySize[^2].Area >= ClearAreaRatio * bySize[^1].Area ? Question(SceneWording.Fill(random, ExtremeFrames, "smallest"), bySize[^1]) : null;
    }

    private static SceneQuestion Question(string text, SceneThing thing) =>
        new(SceneQuestionKind.Naming, text, $"It is {thing.Class.Indefinite}.", [thing.Class.Name]);
}
