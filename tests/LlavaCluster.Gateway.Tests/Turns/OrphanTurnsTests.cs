using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Http;
using LlavaCluster.Gateway.Tests.Fakes;
using LlavaCluster.Gateway.Turns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Orleans.Runtime;

namespace LlavaCluster.Gateway.Tests.Turns;

/// <summary>Stateless answers whose readers leave, through one gateway and through several.</summary>
public sealed class OrphanTurnsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stream_ResumedThroughAnotherGateway_OutlivesTheGraceOfTheFirst()
    {
        var (first, second) = (new GraceClock(), new GraceClock());
        await using var a = await GatewayServer.StartAsync(options => options.ResumeGrace = GraceClock.Grace, services: services => services.AddSingleton<TimeProvider>(first));
        await using var b = await GatewayServer.StartAsync(options => options.ResumeGrace = GraceClock.Grace, services: services => services.AddSingleton<TimeProvider>(second), beside: a);
        a.Script.Gated = true;
        a.Script.Release(1);
        var id = await BeginAndLeaveAsync(a);

        using var http = b.Http();
        using var resumed = await http.GetAsync($"/v1/chat/completions/{id}/events", HttpCompletionOption.ResponseHeadersRead, Cancel);
        await using var events = SseParser.Create(await resumed.Content.ReadAsStreamAsync(Cancel)).EnumerateAsync(Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await events.MoveNextAsync());
        Assert.Equal((a.Script.Last.TurnId, false), await ExpireAsync(a.Script, first));

        resumed.Dispose();
        Assert.Equal((a.Script.Last.TurnId, true), await ExpireAsync(a.Script, second));
    }

    [Fact]
    public async Task Orphan_OfAnUnreachableConversation_DoesNotHoldUpTheOthers()
    {
        // Its clock stands still, so that the first stopper waits for ever.
        await using var server = await GatewayServer.StartAsync(services: services => services.AddSingleton<TimeProvider>(new FakeTimeProvider()));
        server.Script.Gated = true;
        using var http = server.Http();
        using var leaveFirst = new CancellationTokenSource();
        using var leaveSecond = new CancellationTokenSource();
        var first = http.PostAsJsonAsync("/v1/chat/completions", Ask(), leaveFirst.Token);
        var lost = TurnIds.Stateless(TenantId.Default, (await BegunAsync(server.Script, 1)).TurnId).ToString();
        var second = http.PostAsJsonAsync("/v1/chat/completions", Ask(), leaveSecond.Token);
        var reachable = await BegunAsync(server.Script, 2);
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Script.BeforeCall = key =>
        {
            if (key == lost)
            {
                asked.TrySetResult();
                throw new SiloUnavailableException("gone");
            }
        };

        await leaveFirst.CancelAsync();
        await asked.Task.WaitAsync(Cancel);
        await leaveSecond.CancelAsync();

        Assert.Equal((reachable.TurnId, true), await server.Script.Cancellations.Reader.ReadAsync(Cancel));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
    }

    [Theory]
    [InlineData("/v1/chat/completions", null)]
    [InlineData("/v1/chat/completions", "call-7")]
    [InlineData("/v1/responses", null)]
    [InlineData("/v1/responses", "call-7")]
    public async Task Turn_KnowsWhetherItsClientNamedIt_WhenItIsFoundAgain(string path, string? idempotencyKey)
    {
        await using var server = await GatewayServer.StartAsync();
        using var http = server.Http();
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(path == "/v1/responses" ? Respond() : Ask()) };
        request.Headers.Add("Idempotency-Key", idempotencyKey is null ? [] : [idempotencyKey]);
        using var response = await http.SendAsync(request, Cancel);
        response.EnsureSuccessStatusCode();
        var asked = server.Script.Last;

        var found = await server.Services.GetRequiredService<StatelessChat>().FindAsync(TenantId.Default, asked.TurnId, ResumePoint.Unknown("turn"), Cancel);

        Assert.False(found.IsFailure(out _, out var turn));
        Assert.Equal((true, idempotencyKey is not null), (turn!.Request.Transient, turn.Request.ClientOwned));
    }

    [Fact]
    public async Task Response_NotStored_AbandonedWhileItBegins_IsStopped()
    {
        await using var server = await GatewayServer.StartAsync();
        using var http = server.Http();
        using var leave = new CancellationTokenSource();
        var begins = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Script.BeforeBegin = cancellationToken =>
        {
            begins.SetResult();
            return Task.Delay(Timeout.Infinite, cancellationToken);
        };
        var call = http.PostAsJsonAsync("/v1/responses", Respond(), leave.Token);
        await begins.Task.WaitAsync(Cancel);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.NotEqual(Guid.Empty, (await server.Script.Cancellations.Reader.ReadAsync(Cancel)).Turn);
    }

    private static object Ask(bool stream = false) => new { model = "llava-test", messages = new[] { new { role = "user", content = "hi" } }, stream };

    private static object Respond() => new { model = "llava-test", input = "hi", store = false };

    private static async Task<string> BeginAndLeaveAsync(GatewayServer server)
    {
        using var http = server.Http();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(Ask(stream: true)) };
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        await using var events = SseParser.Create(await response.Content.ReadAsStreamAsync(Cancel)).EnumerateAsync(Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await events.MoveNextAsync());
        return JsonDocument.Parse(events.Current.Data).RootElement.GetProperty("id").GetString()!;
    }

    private static async Task<TurnRequest> BegunAsync(Script script, int count)
    {
        while (script.Begun.Count < count)
        {
            await Task.Yield();
        }

        return script.Last;
    }

    /// <summary>Waits until a gateway has noticed that it lost its reader, lets its grace pass once, and says what came of asking to stop the turn.</summary>
    private static async Task<(Guid Turn, bool Running)> ExpireAsync(Script script, GraceClock time)
    {
        await time.GraceBegins.WaitAsync(Cancel);
        time.Advance(GraceClock.Grace);
        return await script.Cancellations.Reader.ReadAsync(Cancel);
    }

    /// <summary>Stands still until it is advanced, and tells when a grace begins: time that ran on while the turn is being stopped would run out the patience of that call too.</summary>
    private sealed class GraceClock : FakeTimeProvider
    {
        private readonly TaskCompletionSource _begins = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>No other wait of the gateway is as long.</summary>
        public static TimeSpan Grace { get; } = TimeSpan.FromSeconds(7);

        public Task GraceBegins => _begins.Task;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Watched(base.CreateTimer(callback, state, dueTime, period), _begins);

        private sealed class Watched(ITimer timer, TaskCompletionSource begins) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                var changed = timer.Change(dueTime, period);
                if (dueTime == Grace)
                {
                    begins.TrySetResult();
                }

                return changed;
            }

            public void Dispose() => timer.Dispose();

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }
}
