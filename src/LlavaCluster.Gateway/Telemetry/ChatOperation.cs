using System.Diagnostics;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Gateway.Failures;

namespace LlavaCluster.Gateway.Telemetry;

/// <summary>One chat request as it is measured: from its valid request to its last event. Disposing it records it, whatever came of it.</summary>
internal sealed class ChatOperation : IDisposable
{
    private readonly GatewayInstruments _instruments;
    private readonly Activity? _activity;
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly string _model;
    private long? _firstToken;
    private TokenUsage? _usage;
    private string? _error;
    private bool _ended;

    public ChatOperation(GatewayInstruments instruments, Activity? activity, string model, GenerationOptions options)
    {
        (_instruments, _activity, _model) = (instruments, activity, model);
        activity?.SetTag("gen_ai.operation.name", "chat").SetTag("gen_ai.provider.name", "llava").SetTag("gen_ai.request.model", _model)
            .SetTag("gen_ai.request.choice.count", options.Choices).SetTag("gen_ai.request.max_tokens", options.MaxTokens)
            .SetTag("gen_ai.request.temperature", options.Temperature).SetTag("gen_ai.request.top_p", options.TopP);
    }

    /// <summary>Takes each event of a followed answer, the last one too.</summary>
    public void Take(TurnEvent step)
    {
        if (_firstToken is null && step.Text.Length > 0)
        {
            _firstToken = Stopwatch.GetTimestamp();
        }

        if (step is { Completed: true, Failure: { } failure })
        {
            Fail(failure);
        }
        else if (step.Completed)
        {
            Complete(step.Usage);
        }
    }

    public void Complete(TokenUsage? usage) => (_usage, _ended) = (usage, true);

    public void Fail(ChatFailure failure) => (_error, _ended) = (FailureTable.Of(failure.Kind).Code, true);

    public void Dispose()
    {
        var now = Stopwatch.GetTimestamp();
        var tags = Tags(_ended ? _error : "cancelled");
        _instruments.Duration.Record(Stopwatch.GetElapsedTime(_began, now).TotalSeconds, tags);
        if (_firstToken is { } first)
        {
            _instruments.FirstToken.Record(Stopwatch.GetElapsedTime(_began, first).TotalSeconds, tags);
        }

        if (_usage is { } usage)
        {
            Record(usage, now);
        }

        if (_error is not null)
        {
            _activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", _error);
        }

        _activity?.Dispose();
    }

    private void Record(TokenUsage usage, long now)
    {
        _activity?.SetTag("gen_ai.usage.input_tokens", usage.PromptTokens).SetTag("gen_ai.usage.output_tokens", usage.CompletionTokens)
            .SetTag("gen_ai.usage.image.input_tokens", usage.ImageTokens).SetTag("gen_ai.usage.cache_read.input_tokens", usage.CachedTokens);
        var input = Tags(null);
        input.Add("gen_ai.token.type", "input");
        _instruments.Tokens.Record(usage.PromptTokens, input);
        var output = Tags(null);
        output.Add("gen_ai.token.type", "output");
        _instruments.Tokens.Record(usage.CompletionTokens, output);
        if (_firstToken is { } first && usage.CompletionTokens > 1)
        {
            _instruments.PerToken.Record(Stopwatch.GetElapsedTime(first, now).TotalSeconds / (usage.CompletionTokens - 1), Tags(null));
        }
    }

    private TagList Tags(string? error)
    {
        var tags = new TagList { { "gen_ai.operation.name", "chat" }, { "gen_ai.provider.name", "llava" }, { "gen_ai.request.model", _model } };
        if (error is not null)
        {
            tags.Add("error.type", error);
        }

        return tags;
    }
}
