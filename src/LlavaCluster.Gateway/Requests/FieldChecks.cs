using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Requests;

/// <summary>Collects the first broken rule of a request. Every message names the field, the bound and the given value.</summary>
internal sealed class FieldChecks
{
    public ChatFailure? Failure { get; private set; }

    public void Fail(string field, string rule, ChatFailureKind kind = ChatFailureKind.InvalidRequest) =>
        Failure ??= new ChatFailure(kind, $"{field} {rule}", field);

    public int Range(string field, int value, int least, int most)
    {
        if (value < least || value > most)
        {
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"must be between {least} and {most}; was {value}."));
        }

        return value;
    }

    /// <summary>The same of a number that may be too large for the field's type; the least one where it is refused.</summary>
    public int Whole(string field, long value, int least, int most)
    {
        if (value >= least && value <= most)
        {
            return (int)value;
        }

        Fail(field, string.Create(CultureInfo.InvariantCulture, $"must be between {least} and {most}; was {value}."));
        return least;
    }

    /// <summary>Refuses NaN, infinities and values outside the bounds; <paramref name="open"/> also refuses the least value itself.</summary>
    public double Range(string field, double value, double least, double most, bool open = false)
    {
        if (!double.IsFinite(value) || value < least || value > most || (open && value == least))
        {
            var bounds = open ? $"greater than {Show(least)} and at most {Show(most)}" : $"between {Show(least)} and {Show(most)}";
            Fail(field, $"must be {bounds}; was {Show(value)}.");
        }

        return value;
    }

    public void Count(string field, int count, int most, string things)
    {
        if (count > most)
        {
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"must hold at most {most} {things}; held {count}."));
        }
    }

    public void Length(string field, string text, int most)
    {
        if (text.Length > most)
        {
            Fail(field, string.Create(CultureInfo.InvariantCulture, $"must be at most {most} characters; was {text.Length}."));
        }
    }

    /// <summary>Refuses what stores and tokenizers disagree about: NUL and halves of surrogate pairs.</summary>
    public void WellFormed(string field, string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\0')
            {
                Fail(field, string.Create(CultureInfo.InvariantCulture, $"must not hold the character NUL; there is one at index {i}."));
                return;
            }

            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (!Rune.TryGetRuneAt(text, i, out _))
            {
                Fail(field, string.Create(CultureInfo.InvariantCulture, $"must be well-formed Unicode; there is half a surrogate pair at index {i}."));
                return;
            }

            i++;
        }
    }

    public bool Required([NotNullWhen(true)] string? value, string field)
    {
        if (string.IsNullOrEmpty(value))
        {
            Fail(field, "is required and must not be empty.");
            return false;
        }

        return true;
    }

    public static string Show(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
