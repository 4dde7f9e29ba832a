using CsCheck;
using Grpc.Core;
using Grpc.Net.Client;
using Llava.V1;
using LlavaCluster.Gateway.Tests.Fakes;

namespace LlavaCluster.Gateway.Tests.Requests;

/// <summary>Any value in any sampling field of a gRPC call is answered, or refused by a status whose detail names a field that was given.</summary>
public sealed class AnyOptionTests : IAsyncLifetime
{
    private static readonly Gen<double> Number = Gen.OneOf(
        Gen.Double[-3, 3], Gen.Const(double.NaN), Gen.Const(double.PositiveInfinity), Gen.Const(double.NegativeInfinity), Gen.Const(double.MaxValue), Gen.Const(double.Epsilon), Gen.Const(-0.0));

    private static readonly Gen<int> Whole = Gen.OneOf(Gen.Int[-2, 40], Gen.Int, Gen.Const(int.MinValue), Gen.Const(int.MaxValue));
    private static readonly Gen<string> Text = JsonText.OneOf("", "x", "\0", "</s>", "<image>", "[", "{", "llava-test", new string('x', 70_000), new string('x', 19) + "\ud83d\ude00");

    private static readonly Gen<(string Field, Action<GenerateRequest> Set)> Change = Gen.OneOf(
        Number.Select<double, (string, Action<GenerateRequest>)>(value => ("temperature", request => request.Options.Temperature = value)),
        Number.Select<double, (string, Action<GenerateRequest>)>(value => ("top_p", request => request.Options.TopP = value)),
        Number.Select<double, (string, Action<GenerateRequest>)>(value => ("min_p", request => request.Options.MinP = value)),
        Number.Select<double, (string, Action<GenerateRequest>)>(value => ("repetition_penalty", request => request.Options.RepetitionPenalty = value)),
        Number.Select<double, (string, Action<GenerateRequest>)>(value => ("frequency_penalty", request => request.Options.FrequencyPenalty = value)),
        Number.Select<double, (string, Action<GenerateRequest>)>(value => ("presence_penalty", request => request.Options.PresencePenalty = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("max_tokens", request => request.Options.MaxTokens = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("top_k", request => request.Options.TopK = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("top_logprobs", request => request.Options.TopLogprobs = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("choices", request => request.Options.Choices = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("resume_from", request => request.ResumeFrom = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("logit_bias", request => request.Options.LogitBias[value] = value)),
        Whole.Select<int, (string, Action<GenerateRequest>)>(value => ("messages", request => request.Messages[0].Role = (Role)value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("stop", request => request.Options.Stop.Add(value))),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("regex", request => request.Options.Regex = value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("json_schema", request => request.Options.JsonSchema = value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("choice", request => request.Options.Choice = new ChoiceList { Texts = { value } })),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("model", request => request.Model = value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("turn_id", request => request.TurnId = value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("messages", request => request.Messages[0].Parts[0].Text = value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("messages", request => request.Messages[0].Parts[0].ImageId = value)),
        Text.Select<string, (string, Action<GenerateRequest>)>(value => ("messages", request => request.Messages[0].Parts[0].ImageUrl = value)));

    private GatewayServer _server = null!;
    private GrpcChannel _channel = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await GatewayServer.StartAsync();
        _channel = _server.Grpc();
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        Assert.DoesNotContain(_server.Logs.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
        await _server.DisposeAsync();
    }

    [Fact]
    public Task Complete_WithAnyOptionChanged_AnswersOrNamesIt() => Change.SampleAsync(change => CheckAsync(change.Field, change.Set), iter: 1500);

    private async Task CheckAsync(string field, Action<GenerateRequest> set)
    {
        var request = new GenerateRequest { Model = "llava-test", Options = new GenerationOptions() };
        request.Messages.Add(new Message { Role = Role.User, Parts = { new Part { Text = "hi" } } });
        set(request);
        try
        {
            await new Chat.ChatClient(_channel).CompleteAsync(request, cancellationToken: Cancel);
        }
        catch (RpcException fault)
        {
            Assert.True(fault.StatusCode is StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.OutOfRange, fault.ToString());
            var detail = ErrorDetail.Parser.ParseFrom(fault.Trailers.GetValueBytes("llava-error-bin"));
            Assert.StartsWith(field, detail.Field, StringComparison.Ordinal);
            Assert.True(detail.Message.Length < 1000, detail.Message);
        }
    }
}
