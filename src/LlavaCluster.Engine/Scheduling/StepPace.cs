namespace LlavaCluster.Engine.Scheduling;

/// <summary>
/// How much a step may compute beside the tokens that answer. Prompts and images are computed in the steps that answer, so each reader waits for them between two tokens: they get
/// as much as keeps a step under a multiple of what it takes while as many answer as do now, or as wait. So few answers do not keep many prompts waiting for the sake of a pace that
/// ends with the wait, and many are not held up by as many who come at once. What that needs is measured, and nothing has to be set for a machine or a model: what a step takes that only
/// answers (from time to time one does, for that purpose), and what a token more adds. One thread.
/// </summary>
/// <param name="mostSlowdown">The multiple, above 1; infinity for no limit.</param>
internal sealed class StepPace(double mostSlowdown)
{
    private const double Newest = 0.25; // weight of the newest step
    private const double Outlier = 3; // times what was expected; what is beyond was a pause of the machine
    private const int AloneEvery = 16; // steps
    private const double First = 64, Least = 16; // tokens: before anything is known, and however slow the machine is

    private double _alone; // seconds of a step that only answers
    private double _perToken; // seconds of a token beside it
    private int _mixed = AloneEvery; // steps since one answered alone: the first one does

    /// <summary>Prompt tokens, or work of as much, that the next step may compute beside its answers.</summary>
    /// <param name="answers">How many.</param>
    /// <param name="waiting">Who wait for their first token.</param>
    public double Beside(int answers, int waiting) =>
        answers == 0 || double.IsPositiveInfinity(mostSlowdown) ? double.PositiveInfinity
        : _mixed >= AloneEvery ? 0
        : _alone == 0 ? double.PositiveInfinity
        : _perToken == 0 ? First
        : Math.Max(Least, ((mostSlowdown - 1) * _alone / _perToken) + (mostSlowdown * Math.Max(0, waiting - answers)));

    /// <summary>Learns from a step that answered.</summary>
    /// <param name="beside">What it computed beside its answers.</param>
    public void Book(double beside, double seconds)
    {
        if (beside == 0)
        {
            _mixed = 0;
            _alone = Blend(_alone, seconds);
            return;
        }

        _mixed++;
        if (_alone > 0)
        {
            _perToken = Blend(_perToken, Math.Max(0, seconds - _alone) / beside);
        }
    }

    private static double Blend(double known, double seen) => known == 0 ? seen : known + (Newest * (Math.Min(seen, Outlier * known) - known));
}
