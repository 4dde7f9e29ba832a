using System.Numerics;
using System.Runtime.Intrinsics;

namespace LlavaCluster.Engine.Sampling;

/// <summary>
/// A private copy of one row of scores and the changes made to it before temperature. A token that may not be drawn has minus infinity.
/// Reused from draw to draw; one thread at a time.
/// </summary>
internal sealed class ScoreRow
{
    private readonly int[] _reserved;
    private readonly int[] _ends;
    private readonly float[] _scores;

    public ScoreRow(int vocabularySize, ReadOnlySpan<int> reserved, ReadOnlySpan<int> ends)
    {
        _scores = new float[vocabularySize];
        _reserved = reserved.ToArray();
        _ends = ends.ToArray();
        foreach (var id in (int[])[.. _reserved, .. _ends])
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, vocabularySize);
        }
    }

    /// <summary>[vocabulary]</summary>
    public ReadOnlySpan<float> Scores => _scores;

    /// <summary>Copies the model's row and bans the reserved ids.</summary>
    public void Load(ReadOnlySpan<float> logits)
    {
        if (logits.Length != _scores.Length)
        {
            throw new ArgumentException($"A row of {_scores.Length} scores is needed; was {logits.Length}.", nameof(logits));
        }

        logits.CopyTo(_scores);
        foreach (var id in _reserved)
        {
            _scores[id] = float.NegativeInfinity;
        }
    }

    /// <summary>The highest score; NaN when any is NaN, minus infinity when nothing is left.</summary>
    public float Max()
    {
        var best = Vector256.Create(float.NegativeInfinity);
        var at = 0;
        for (; at + Vector256<float>.Count <= _scores.Length; at += Vector256<float>.Count)
        {
            best = Vector256.Max(best, Vector256.Create<float>(_scores.AsSpan(at)));
        }

        var max = float.NegativeInfinity;
        for (var lane = 0; lane < Vector256<float>.Count; lane++)
        {
            max = MathF.Max(max, best[lane]);
        }

        for (; at < _scores.Length; at++)
        {
            max = MathF.Max(max, _scores[at]);
        }

        return max;
    }

    /// <summary>The lowest id whose score equals <paramref name="score"/>.</summary>
    public int FirstWith(float score)
    {
        for (var id = 0; id < _scores.Length; id++)
        {
            if (_scores[id] == score)
            {
                return id;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(score), score, "No token has this score.");
    }

    /// <summary>
    /// Repetition penalty over everything seen (Keskar et al. 2019, as Hugging Face's RepetitionPenaltyLogitsProcessor), then
    /// frequency and presence penalties over what was emitted (OpenAI's formula).
    /// </summary>
    public void Penalise(SamplingOptions options, SamplingHistory history)
    {
        var (repetition, frequency, presence) = ((float)options.RepetitionPenalty, (float)options.FrequencyPenalty, (float)options.PresencePenalty);
        if (repetition == 1 && frequency == 0 && presence == 0)
        {
            return;
        }

        var ids = history.Ids;
        var counts = history.EmittedCounts;
        for (var index = 0; index < ids.Length; index++)
        {
            var id = ids[index];
            if ((uint)id >= (uint)_scores.Length)
            {
                continue;
            }

            ref var score = ref _scores[id];
            score = score < 0 ? score * repetition : score / repetition;
            if (counts[index] > 0)
            {
                score -= (counts[index] * frequency) + presence;
            }
        }
    }

    public void AddBiases(SamplingOptions options)
    {
        foreach (var (id, bias) in options.LogitBias)
        {
            _scores[id] += (float)bias;
        }
    }

    /// <summary>Bans what the constraint does not allow.</summary>
    public void Restrict(ReadOnlySpan<ulong> allowed)
    {
        if (allowed.IsEmpty)
        {
            return;
        }

        for (int word = 0, first = 0; first < _scores.Length; word++, first += 64)
        {
            var part = _scores.AsSpan(first, Math.Min(64, _scores.Length - first));
            for (var banned = word < allowed.Length ? ~allowed[word] : ulong.MaxValue; banned != 0; banned &= banned - 1)
            {
                var bit = BitOperations.TrailingZeroCount(banned);
                if (bit >= part.Length)
                {
                    break;
                }

                part[bit] = float.NegativeInfinity;
            }
        }
    }

    /// <summary>Bans the end-of-sequence ids, unless nothing else is left: a finished constraint ends the answer.</summary>
    /// <returns>The highest score after that.</returns>
    public float BanEnds(float max)
    {
        Span<float> kept = stackalloc float[_ends.Length];
        for (var index = 0; index < kept.Length; index++)
        {
            kept[index] = _scores[_ends[index]];
            _scores[_ends[index]] = float.NegativeInfinity;
        }

        var left = Max();
        if (left != float.NegativeInfinity)
        {
            return left;
        }

        for (var index = 0; index < kept.Length; index++)
        {
            _scores[_ends[index]] = MathF.Max(kept[index], _scores[_ends[index]]);
        }

        return max;
    }
}
