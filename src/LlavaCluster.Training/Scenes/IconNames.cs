using System.Collections.Frozen;

namespace LlavaCluster.Training.Scenes;

/// <summary>What artists of vector sets call the classes of scenes-classes.json, where it is not their CLDR name (<see cref="VectorIcons"/>). Left out are drawings with a frame or a sky of their own, of which no other artist's has any.</summary>
internal static class IconNames
{
    public static IReadOnlyDictionary<string, string> AsCldr => FrozenDictionary<string, string>.Empty;

    public static IReadOnlyDictionary<string, string> Firefox { get; } = Read("""
        dog:dog cat:cat rabbit:bunny fox: panda:pandaface tiger:tiger lion: cow:cowface pig:pig monkey:monkeyface horse:horseface camel:bactriancamel duck: owl: bat: butterfly:
        ladybug:ladybeetle crab: fish:tropicalfish whale:spurtingwhale shark: snowman:snowmanwithoutsnow tree:deciduoustree clover:fourleafclover leaf:mapleleaf apple:redapple
        carrot: eggplant:aubergine avocado: pizza:sliceofpizza truck:deliverytruck clock:alarmclock umbrella:umbrellawithraindrops light_bulb:lightbulb book:closedbook drum:
        ball:soccerball gift:present hat:tophat shoe: backpack:schoolsatchel house:housebuilding castle:europeancastle sun:sunrays moon:crescentmoon
        sailboat: ship: rainbow:
        """);

    public static IReadOnlyDictionary<string, string> Streamline { get; } = Read("""
        fox:fox-face-1 bear:bear-face panda:panda-face lion:lion-face frog:frog-face camel:camel penguin:penguin-1 duck: owl: bat: butterfly: spider: crab: shark: snowman:snowman tree:
        cactus:cactus-1 sunflower:sunflower-1 banana: watermelon:watermelon-1 strawberry:strawberry-1 pineapple: carrot: eggplant: avocado: hamburger:hamburger-1 pizza:pizza-1
        donut:doughnut-1 cake:shortcake-1 hammer: key: clock: light_bulb: camera: book: drum: ball: gift:wrapped-gift-1 hat: backpack:school-backpack trophy: house: star: sun:
        ship: castle: rainbow:
        """);

    private static FrozenDictionary<string, string> Read(string pairs) => pairs
        .Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split(':'))
        .ToFrozenDictionary(pair => pair[0].Replace('_', ' '), pair => pair[1]);
}
