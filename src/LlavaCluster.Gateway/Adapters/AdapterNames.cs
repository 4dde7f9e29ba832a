using LlavaCluster.Gateway.Requests;

namespace LlavaCluster.Gateway.Adapters;

/// <summary>What an adapter may be called. It follows a colon in a model's name, so it can hold none.</summary>
internal static class AdapterNames
{
    private const int Most = 64;

    public static void Check(string name, string field, FieldChecks checks)
    {
        if (name.Length is 0 or > Most || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_'))
        {
            checks.Fail(field, $"must be 1 to {Most} of a-z, 0-9, '-', '_'; was \"{Excerpt.Of(name, Most)}\".");
        }
    }
}
