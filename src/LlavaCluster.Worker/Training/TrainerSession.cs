using System.Net;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Training.Distributed;
using LlavaCluster.Worker.Serving;
using Microsoft.Extensions.Logging;

namespace LlavaCluster.Worker.Training;

/// <summary>
/// A trainer's time with one job. A thread of its own reads model and data and works in whatever group it is told of; a loop beside it reports, and does what the reports'
/// answers order. Members may be called from any thread.
/// </summary>
internal sealed partial class TrainerSession
{
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(1);

    /// <summary>So long a job's grain may be out of reach before the trainer gives the job up.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly TrainerSurroundings _surroundings;
    private readonly ILogger _logger;
    private readonly Action<TrainerSession> _free;
    private readonly CancellationTokenSource _leave = new();
    private readonly RingListener _listener;
    private readonly GroupMailbox _groups = new();
    private readonly TrainerLog _log;
    private readonly TrainerWork _work;

    /// <param name="free">Called when the session has ended and given everything back.</param>
    /// <exception cref="System.Net.Sockets.SocketException">No port can be had.</exception>
    public TrainerSession(TrainerAssignment assignment, TrainableModel model, TrainerSurroundings surroundings, Action<TrainerSession> free, ILogger<TrainerSession> logger)
    {
        (Job, _surroundings, _free, _logger) = (assignment.Job, surroundings, free, logger);
        _listener = surroundings.Listen();
        _log = new TrainerLog(Job, surroundings.Key, Endpoint, surroundings.Clock, logger);
        _work = new TrainerWork(assignment, model, surroundings, _listener, _groups, _log, _leave.Token);
        LogJoined(Job);
        Ended = RunAsync();
    }

    public TrainingJobKey Job { get; }

    /// <summary>Where the other trainers reach this one.</summary>
    public string Endpoint => _listener.EndPoint.ToString();

    /// <summary>Completes when everything is given back.</summary>
    public Task Ended { get; }

    /// <returns>False where the session is about to end.</returns>
    public bool Train(TrainerGroup group)
    {
        if (_leave.IsCancellationRequested)
        {
            return false;
        }

        _groups.Put(group);
        return true;
    }

    public void Leave()
    {
        _leave.Cancel();
        _groups.Close();
    }

    private async Task RunAsync()
    {
        var thread = new Thread(() => _work.Run()) { IsBackground = true, Name = "llava trainer" };
        thread.Start();
        try
        {
            await ReportAsync();
        }
        catch (Exception fault)
        {
            LogFailed(fault, Job);
        }

        Leave();
        await _work.Ended;
        await TellTheEndAsync();
        await _listener.DisposeAsync();
        LogLeft(Job);
        _free(this);
        _leave.Dispose();
    }

    /// <summary>Until the job orders to leave, or cannot be reached for long.</summary>
    private async Task ReportAsync()
    {
        var heard = _surroundings.Clock.GetTimestamp();
        while (!_leave.IsCancellationRequested)
        {
            var report = _log.Take();
            if (await TryReportAsync(report) is { } order)
            {
                heard = _surroundings.Clock.GetTimestamp();
                _log.Forget(report);
                _work.Order(order);
                if (order == TrainerOrder.Leave)
                {
                    return;
                }
            }
            else if (_surroundings.Clock.GetElapsedTime(heard) > Patience)
            {
                LogGivenUp(Job);
                return;
            }
            else
            {
                await Task.WhenAny(Task.Delay(ReportEvery, _surroundings.Clock, _leave.Token)); // what is new would be told in vain
                continue;
            }

            await _log.NewsAsync(ReportEvery, _leave.Token);
        }
    }

    /// <summary>What happened while it left, checkpoints above all; the job may do without.</summary>
    private async Task TellTheEndAsync()
    {
        while (_log.HasNews)
        {
            var report = _log.Take();
            if (await TryReportAsync(report) is null)
            {
                return;
            }

            _log.Forget(report);
        }
    }

    private async Task<TrainerOrder?> TryReportAsync(TrainerReport report)
    {
        try
        {
            var order = await _surroundings.Job(Job).ReportAsync(report, CancellationToken.None);
            foreach (var heard in new[] { report.Checkpoint?.Object, report.Result?.Adapter }.OfType<ObjectId>())
            {
                _surroundings.Unreported.Forget(Job, heard);
            }

            return order;
        }
        catch (Exception fault)
        {
            // Its front is gone, or the store is; the job comes back elsewhere.
            LogNotReported(Job, fault.Message);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Information, "Trains for job {Job}")]
    private partial void LogJoined(TrainingJobKey job);

    [LoggerMessage(LogLevel.Information, "Has left job {Job}")]
    private partial void LogLeft(TrainingJobKey job);

    [LoggerMessage(LogLevel.Warning, "Job {Job} was not told: {Reason}")]
    private partial void LogNotReported(TrainingJobKey job, string reason);

    [LoggerMessage(LogLevel.Warning, "Job {Job} cannot be reached and is given up")]
    private partial void LogGivenUp(TrainingJobKey job);

    [LoggerMessage(LogLevel.Error, "Job {Job} failed here")]
    private partial void LogFailed(Exception fault, TrainingJobKey job);
}
