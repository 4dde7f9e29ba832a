using System.Security.Cryptography;
using System.Text.Json;
using LlavaCluster.Training.Tuning;

namespace LlavaCluster.Cli.Benchmarks.Ring.Members;

/// <summary>
/// The same run by one member, by two that sum their gradients at every step, and by two that agree every so many steps. Each member is a process with one thread that computes; their rings are real, over
/// loopback. In turn, and again each round, so that what else the machine does meets all three.
/// </summary>
/// <param name="command">As of <see cref="MemberProcess"/>.</param>
internal sealed class TeamBenchmark(string model, TuningRecipe recipe, string data, string? images, IReadOnlyList<string> command)
{
    /// <param name="localSteps">Of the third, at least 2.</param>
    /// <param name="done">Told of each run.</param>
    /// <exception cref="InvalidDataException">A member's process failed; the message has its words.</exception>
    public async Task<TeamReport> MeasureAsync(int localSteps, int rounds, Action<string> done, CancellationToken cancellationToken)
    {
        TeamRuns[] modes = [new("1 member", 1, 1), new("2 members, one sum a step", 2, 1), new($"2 members, one agreement in {localSteps} steps", 2, localSteps)];
        for (var round = 0; round < rounds; round++)
        {
            foreach (var mode in modes)
            {
                mode.Runs.Add(await RunAsync(mode, cancellationToken));
                done($"round {round + 1} of {rounds}, {mode.Name}: done");
            }
        }

        return new TeamReport(recipe.GlobalBatch, localSteps, modes[0], modes[1], modes[2]);
    }

    private async Task<TeamRun> RunAsync(TeamRuns mode, CancellationToken cancellationToken)
    {
        var members = new List<MemberProcess>();
        try
        {
            var order = new MemberOrder(model, recipe.ToJson(), data, images, mode.LocalSteps);
            for (var rank = 0; rank < mode.Members; rank++)
            {
                members.Add(new MemberProcess(command));
                await members[^1].TellAsync(order, cancellationToken);
            }

            var places = await Task.WhenAll(members.Select(member => member.HearAsync(cancellationToken)));
            var secret = RandomNumberGenerator.GetBytes(32);
            await Task.WhenAll(members.Select((member, rank) => member.TellAsync(new MemberPlaces(rank, places, secret), cancellationToken)));
            var reports = await Task.WhenAll(members.Select(async member => JsonSerializer.Deserialize<MemberReport>(await member.HearAsync(cancellationToken))!));
            return new TeamRun(reports);
        }
        finally
        {
            members.ForEach(member => member.Dispose());
        }
    }
}
