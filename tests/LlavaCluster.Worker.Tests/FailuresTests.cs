using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Engine;
using LlavaCluster.Worker.Serving;

namespace LlavaCluster.Worker.Tests;

public sealed class FailuresTests
{
    [Theory]
    [InlineData(FailureKind.Image, ChatFailureKind.InvalidRequest)]
    [InlineData(FailureKind.ImageUnread, ChatFailureKind.ModelUnavailable)] // the picture's store did not answer
    [InlineData(FailureKind.Unread, ChatFailureKind.ModelUnavailable)] // the conversation could not write for a while
    [InlineData(FailureKind.DeviceFault, ChatFailureKind.ModelUnavailable)]
    [InlineData(FailureKind.EngineStopped, ChatFailureKind.ModelUnavailable)]
    [InlineData(FailureKind.DeadlineExceeded, ChatFailureKind.DeadlineExceeded)]
    [InlineData(FailureKind.Poisoned, ChatFailureKind.Internal)]
    public void Of_AFailure_SaysWhetherAnotherWorkerMayGoOn(FailureKind kind, ChatFailureKind expected) =>
        Assert.Equal(expected, Failures.Of(new RequestFailure(kind, "")).Kind);
}
