using System.Runtime.CompilerServices;
using Llava.V1;
using Microsoft.Extensions.AI;

namespace LlavaCluster.Client;

/// <summary>
/// Chat about pictures over gRPC as an <see cref="IChatClient"/>. Pictures are DataContent (bytes), UriContent (https, where the server allows it) or
/// HostedFileContent (uploaded before). A lost connection is resumed without repeating or losing a word; failures are <see cref="LlavaException"/>s.
/// Safe for use by many threads; owns neither connection nor options.
/// </summary>
public sealed class LlavaChatClient : IChatClient
{
    private readonly LlavaConnection _connection;
    private readonly string _model;
    private readonly LlavaChatOptions _options;
    private readonly ChatClientMetadata _metadata;

    /// <param name="model">The model of requests whose options name none.</param>
    public LlavaChatClient(LlavaConnection connection, string model, LlavaChatOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentException.ThrowIfNullOrEmpty(model);
        (_connection, _model, _options) = (connection, model, options ?? new LlavaChatOptions());
        _metadata = new ChatClientMetadata("llava", connection.Address, model);
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <summary>One update an event; its RawRepresentation is the <see cref="TurnEvent"/> with the sequence number, its ResponseId the turn's id.</summary>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var request = RequestWriting.Write(messages, options, _model);
        await foreach (var step in new ResumingAnswer(_connection.Chat, _options).ReadAsync(request, cancellationToken).ConfigureAwait(false))
        {
            yield return Update(step, request);
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_connection) ? _connection
            : null;
    }

    public void Dispose()
    {
    }

    private static ChatResponseUpdate Update(TurnEvent step, GenerateRequest request)
    {
        var update = new ChatResponseUpdate
        {
            Role = ChatRole.Assistant,
            ResponseId = request.TurnId,
            MessageId = request.TurnId,
            ModelId = request.Model,
            RawRepresentation = step,
            FinishReason = step.Finish switch
            {
                FinishReason.Unspecified => null,
                FinishReason.Stop => ChatFinishReason.Stop,
                FinishReason.Length => ChatFinishReason.Length,
                var other => new ChatFinishReason(other.ToString().ToLowerInvariant()),
            },
        };
        if (step.Text.Length > 0)
        {
            update.Contents.Add(new TextContent(step.Text));
        }

        if (step.Usage is { } usage)
        {
            update.Contents.Add(new UsageContent(new UsageDetails
            {
                InputTokenCount = usage.PromptTokens,
                CachedInputTokenCount = usage.CachedTokens,
                OutputTokenCount = usage.CompletionTokens,
                TotalTokenCount = (long)usage.PromptTokens + usage.CompletionTokens,
                AdditionalCounts = new AdditionalPropertiesDictionary<long> { ["image_tokens"] = usage.ImageTokens },
            }));
        }

        return update;
    }
}
