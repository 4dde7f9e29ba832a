namespace LlavaCluster.Cli.Benchmarks.Ring.Members;

/// <summary>What a member's process is to train; its first line of input, as JSON.</summary>
/// <param name="Recipe">As <see cref="Training.Tuning.TuningRecipe.Parse"/> reads it.</param>
/// <param name="Images">Null where no record names a picture.</param>
/// <param name="LocalSteps">Steps between two agreements; 1: gradients are summed at each.</param>
internal sealed record MemberOrder(string Model, string Recipe, string Data, string? Images, int LocalSteps);

/// <summary>Who else trains; the second line, once every member has said where it listens.</summary>
internal sealed record MemberPlaces(int Rank, IReadOnlyList<string> Members, byte[] Secret);

/// <summary>What came of it; a member's last line of output.</summary>
/// <param name="Losses">Of each step in which members agreed, over all of them.</param>
/// <param name="Seconds">Of the steps that are timed, which are all but the first tenth, or ten.</param>
/// <param name="StepSeconds">Of each step that is timed, the waiting included.</param>
/// <param name="WaitedSeconds">For the others and what they sent, in the steps that are timed.</param>
/// <param name="CoreSeconds">That the process used in <paramref name="Seconds"/>, on all its threads.</param>
/// <param name="BytesSent">In all steps.</param>
/// <param name="BaseLoss">Of the base on the samples held out; null where there are none.</param>
/// <param name="HeldOutLoss">Of what was learned, likewise.</param>
/// <param name="Digest">SHA-256 of what was learned, in hexadecimal.</param>
internal sealed record MemberReport(
    IReadOnlyList<double> Losses, double Seconds, IReadOnlyList<double> StepSeconds, double WaitedSeconds, double CoreSeconds, long BytesSent, double? BaseLoss, double? HeldOutLoss, string Digest);
