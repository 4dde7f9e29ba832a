using System.Net;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Model.Weights;
using LlavaCluster.Training.Data.Conversations;
using LlavaCluster.Training.Distributed;
using LlavaCluster.Training.Tuning;
using LlavaCluster.Worker.Serving;
using TorchSharp;

namespace LlavaCluster.Worker.Training;

/// <summary>
/// What a trainer's thread does: reads model and data, then works in one group after the other until there is none, the job is done or cannot be. Its members but <see cref="Run"/> may be called
/// from any thread.
/// </summary>
internal sealed class TrainerWork(TrainerAssignment assignment, TrainableModel model, TrainerSurroundings surroundings, RingListener listener, GroupMailbox groups, TrainerLog log, CancellationToken leave)
{
    private const string Pictures = "images_file"; // as clients call it, in messages too
    private const int ReportedRecords = 5;

    /// <summary>For all members of a group to come together.</summary>
    private static readonly TimeSpan JoinDeadline = TimeSpan.FromSeconds(30);

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TrainerOrder _order;

    /// <summary>Completes when the thread has given everything back.</summary>
    public Task Ended => _ended.Task;

    public void Order(TrainerOrder order) => _order = order;

    public void Run()
    {
        try
        {
            Work();
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            // As it was told.
        }
        catch (Exception fault) when (fault is InvalidDataException or CheckpointException or ArgumentException)
        {
            log.Enter(TrainerPhase.Failed, 0, fault.Message); // of the job: every other trainer would find it too
        }
        catch (Exception fault)
        {
            log.Enter(TrainerPhase.Unable, 0, fault.Message);
        }
        finally
        {
            _ended.SetResult();
        }
    }

    private void Work()
    {
        SetThreads(surroundings.Options);
        var gate = new TrainingGate(() => surroundings.Engine.IsBusy, surroundings.Options.TrainingShare, surroundings.Clock);
        gate.Lower();
        using var folder = new TrainerFolder(surroundings.Folder, surroundings.Objects, assignment.Job, surroundings.Unreported, leave);
        var spec = assignment.Spec;
        var recipe = Recipes.Of(spec.Options, model, spec.ValidationFile is not null);
        var began = surroundings.Clock.GetTimestamp();
        FetchPictures(folder, spec);
        using var data = OpenData(folder, recipe, spec, spec.TrainingFile, "training_file");
        using var validation = spec.ValidationFile is { } judge ? OpenData(folder, recipe, spec, judge, "validation_file") : null;
        using var run = new TuningRun(surroundings.Options.ModelFolder, recipe, data, validation: validation);
        RequireServable(run);
        log.Measure(run.TotalSteps, run.StepsPerEpoch);
        log.Count(0, surroundings.Clock.GetElapsedTime(began).TotalSeconds, 0, null);
        log.Enter(TrainerPhase.Waiting, 0);
        using var state = new MemberState(run, spec.Options.LocalSteps, surroundings.Folder);
        var shop = new GroupWork(state, folder, gate, surroundings, spec, log, leave);
        while (groups.TakeAsync().GetAwaiter().GetResult() is { } group)
        {
            _order = TrainerOrder.Continue;
            WorkIn(group, shop);
        }
    }

    /// <summary>Libtorch keeps the number for each thread from its first computation on; what any thread set last goes to those that compute for the first time later, which are not to do it as training does.</summary>
    private static void SetThreads(WorkerOptions options)
    {
        torch.set_num_threads(options.TrainingThreads);
        _ = torch.get_num_threads(); // makes it this thread's own
        var others = new Thread(() => torch.set_num_threads(options.Threads));
        others.Start();
        others.Join();
    }

    private void WorkIn(TrainerGroup group, GroupWork work)
    {
        log.Enter(TrainerPhase.Training, group.Generation);
        try
        {
            using var called = new CancellationTokenSource();
            using var listening = groups.OnNext(called.Cancel);
            using var ring = RingGroup.JoinAsync(listener, Membership(group), JoinDeadline, called.Token).GetAwaiter().GetResult();
            using var parting = called.Token.Register(() => ring.Abort("another group is formed"));
            work.Run(ring, group, () => _order, called.Token);
        }
        catch (RingBrokenException broken)
        {
            log.Enter(TrainerPhase.Parted, group.Generation, $"group {group.Generation} broke: {broken.Message}");
        }
        catch (OperationCanceledException) when (!leave.IsCancellationRequested)
        {
            log.Enter(TrainerPhase.Parted, group.Generation); // called to another group
        }
    }

    // Found before a step is made, not when the adapter is to be published.
    private void RequireServable(TuningRun run)
    {
        var (bytes, most) = ((long)run.Parameters.Length * sizeof(float), Math.Min(surroundings.Options.AdapterBytes, surroundings.Options.AdapterObjectBytes));
        if (bytes > most)
        {
            throw new ArgumentException($"The adapter must have <= {most} bytes to be served; it would have {bytes}. A lower rank, fewer target_modules or train_projector false make it smaller.");
        }
    }

    private RingMembership Membership(TrainerGroup group) => new()
    {
        Group = assignment.Job.ToString(),
        Generation = group.Generation,
        Rank = group.Rank,
        Members = [.. group.Endpoints.Select(IPEndPoint.Parse)],
        Secret = group.Secret.ToArray(),
    };

    private static void FetchPictures(TrainerFolder folder, TrainingJobSpec spec)
    {
        if (spec.Images is { } images)
        {
            Fetch(folder, images, Pictures, Pictures);
        }
    }

    private ConversationDataset OpenData(TrainerFolder folder, TuningRecipe recipe, TrainingJobSpec spec, ObjectId file, string field)
    {
        Fetch(folder, file, field, field);
        var pictures = spec.Images is null ? PictureStore.None : PictureStore.Open(folder.File(Pictures));
        var options = new DatasetOptions { BadRecords = spec.Options.SkipBadRecords ? BadRecordPolicy.Skip : BadRecordPolicy.Stop, Threads = surroundings.Options.TrainingThreads };
        var (data, report) = ConversationDataset.Open(folder.File(field), pictures, TuningRun.EncoderFor(surroundings.Options.ModelFolder, recipe), options, cancellationToken: leave);
        if (report.Bad > 0)
        {
            log.Enter(TrainerPhase.Preparing, 0, $"{field}: {Describe(report)}");
        }

        return data ?? throw new InvalidDataException($"{field} was refused. {Describe(report)}");
    }

    private static void Fetch(TrainerFolder folder, ObjectId id, string name, string field)
    {
        if (!folder.TryFetch(id, name))
        {
            throw new InvalidDataException($"{field} {id} is no longer stored, or damaged.");
        }
    }

    private static string Describe(DatasetReport report)
    {
        var first = string.Join(" ", report.Details.Take(ReportedRecords).Select(bad => $"Record {bad.Index}{(bad.Id is null ? "" : $" ({bad.Id})")}: {bad.Reason}"));
        return report.Records == 0 ? "It holds no records." : $"{report.Bad} of {report.Records} records are bad. {first}";
    }
}
