namespace LlavaCluster.Training.Scenes;

/// <summary>Left, right, above and below between things that "the X" names without doubt, and only where the boxes are clear about it.</summary>
internal static class RelationQuestions
{
    private static readonly string[] YesNoFrames = ["Is the {0} {1} the {2}?", "Can you see the {0} {1} the {2}?", "In the picture, is the {0} {1} the {2}?"];
    private static readonly string[] EitherFrames = ["Is the {0} {1} or {2} the {3}?", "Would you say the {0} is {1} or {2} the {3}?"];
    private static readonly string[] WhatFrames = ["What is {0} the {1}?", "Which object is {0} the {1}?", "Name the object {0} the {1}."];
    private static readonly string[] FollowUpFrames = ["What is {0} it?", "And what is {0} it?", "Which object is {0} it?"];

    // Whether the asked direction is the one just said is one token of an answer, and what small models get wrong last.
    private static readonly float[] FrameWeights = [0.5f, 0.2f, 0.3f];

    public static SceneQuestion? TryAsk(SceneView view, SceneRandom random)
    {
        if (view.Things.Count < 2 || view.Unique.Count == 0)
        {
            return null;
        }

        return random.PickWeighted(FrameWeights) switch
        {
            0 => AskYesNo(view, random),
            1 => AskEither(view, random),
            _ => AskWhat(view, random),
        };
    }

    /// <summary>"And what is left of it?" after a turn that named exactly one thing.</summary>
    public static SceneQuestion? TryFollowUp(SceneView view, SceneQuestion previous, SceneRandom random)
    {
        if (previous.Kind is not (SceneQuestionKind.Naming or SceneQuestionKind.Relation or SceneQuestionKind.FollowUp)
            || view.Unique.FirstOrDefault(thing => thing.Class.Name == previous.Expected[0]) is not { } origin)
        {
            return null;
        }

        var clear = SceneDirection.All.Where(direction => OnlyThing(view, origin, direction) is not null).ToList();
        if (clear.Count == 0)
        {
            return null;
        }

        var asked = random.Pick(clear);
        return Named(SceneQuestionKind.FollowUp, SceneWording.Fill(random, FollowUpFrames, asked.Preposition), OnlyThing(view, origin, asked)!);
    }

    private static SceneQuestion? AskYesNo(SceneView view, SceneRandom random)
    {
        if (DrawPair(view, random) is not { } pair)
        {
            return null;
        }

        var asked = random.Chance(0.5f) ? pair.Direction : pair.Direction.Opposite;
        var yes = asked == pair.Direction;
        var text = SceneWording.Fill(random, YesNoFrames, pair.Thing.Class.Name, asked.Preposition, pair.Origin.Class.Name);
        return new(SceneQuestionKind.Relation, text, $"{Fact(pair)}, so {(yes ? "yes" : "no")}.", [yes ? "yes" : "no"]);
    }

    private static SceneQuestion? AskEither(SceneView view, SceneRandom random)
    {
        if (DrawPair(view, random) is not { } pair)
        {
            return null;
        }

        var (first, second) = random.Chance(0.5f) ? (pair.Direction, pair.Direction.Opposite) : (pair.Direction.Opposite, pair.Direction);
        var text = SceneWording.Fill(random, EitherFrames, pair.Thing.Class.Name, first.Preposition, second.Preposition, pair.Origin.Class.Name);
        return new(SceneQuestionKind.Relation, text, $"{Fact(pair)}.", [pair.Direction.Name]);
    }

    private static SceneQuestion? AskWhat(SceneView view, SceneRandom random)
    {
        var clear = view.Unique
            .SelectMany(origin => SceneDirection.All, (origin, direction) => (origin, direction, thing: OnlyThing(view, origin, direction)))
            .Where(candidate => candidate.thing is not null)
            .ToList();
        if (clear.Count == 0)
        {
            return null;
        }

        var (origin, direction, thing) = random.Pick(clear);
        return Named(SceneQuestionKind.Relation, SceneWording.Fill(random, WhatFrames, direction.Preposition, origin.Class.Name), thing!);
    }

    // The thing is named again and the verdict comes last: a small model then says where a thing is right after its name, and reads its verdict off what it said.
    private static string Fact((SceneThing Thing, SceneThing Origin, SceneDirection Direction) pair) =>
        $"The {pair.Thing.Class.Name} is {pair.Direction.Preposition} the {pair.Origin.Class.Name}";

    private static SceneQuestion Named(SceneQuestionKind kind, string text, SceneThing thing) =>
        new(kind, text, $"It is {thing.Class.Indefinite}.", [thing.Class.Name]);

    /// <summary>The one thing clearly in that direction, when every other is clearly not.</summary>
    private static SceneThing? OnlyThing(SceneView view, SceneThing origin, SceneDirection direction)
    {
        SceneThing? found = null;
        foreach (var thing in view.Things)
        {
            var distance = direction.Distance(thing, origin);
            if (thing == origin || distance <= 0)
            {
                continue;
            }

            if (distance < SceneDirection.ClearMargin || found is not null)
            {
                return null;
            }

            found = thing;
        }

        return found;
    }

    private static (SceneThing Thing, SceneThing Origin, SceneDirection Direction)? DrawPair(SceneView view, SceneRandom random)
    {
        if (view.Unique.Count < 2)
        {
            return null;
        }

        var thing = random.Pick(view.Unique);
        var origin = random.Pick([.. view.Unique.Where(other => other != thing)]);
        var clear = SceneDirection.All.Where(direction => direction.Distance(thing, origin) >= SceneDirection.ClearMargin).ToList();
        return clear.Count == 0 ? null : (thing, origin, random.Pick(clear));
    }
}
