namespace LlavaCluster.Training.Scenes;

/// <summary>One kind of thing that scenes show: its everyday name and what a child knows about it. A row of scenes-classes.json.</summary>
/// <param name="Name">Singular, lower case, one word where English has one.</param>
/// <param name="Plural">The plural of <paramref name="Name"/>.</param>
/// <param name="Codepoints">The emoji as hexadecimal code points joined by '-', with FE0F where the qualified form has it.</param>
/// <param name="Cldr">The emoji's CLDR short name, from which <paramref name="Name"/> was chosen.</param>
/// <param name="Subcategory">Unicode subcategory, e.g. "animal-mammal".</param>
/// <param name="Kind">animal, food, plant, vehicle, ...: the word a question uses.</param>
/// <param name="Traits">What it is or can do: "flies", "wheels", "edible", ...</param>
/// <param name="Unclear">Traits that people would argue about for it: no such question is asked where it is in the picture.</param>
/// <param name="Also">Other names that grading accepts; the teacher never uses them.</param>
public sealed record SceneClass(
    string Name, string Plural, string Codepoints, string Cldr, string Subcategory, string Kind, IReadOnlyList<string> Traits,
    IReadOnlyList<string> Unclear, IReadOnlyList<string> Also)
{

    /// <summary>The name with its indefinite article: "an apple".</summary>
    public string Indefinite => "aeio".Contains(Name[0]) || Name.StartsWith("um", StringComparison.Ordinal) ? "an " + Name : "a " + Name;
}
