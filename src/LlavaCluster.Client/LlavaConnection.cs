using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Llava.V1;

namespace LlavaCluster.Client;

/// <summary>A server's address and a key, and the generated gRPC clients that use them. Safe for use by many threads; owns its channel.</summary>
public sealed class LlavaConnection : IDisposable
{
    private readonly GrpcChannel _channel;

    /// <param name="apiKey">Null for a server on this machine that has no keys.</param>
    public LlavaConnection(Uri address, string? apiKey = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        Address = address;
        // The server bounds what it sends; a client-side bound would only cut long answers.
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { MaxReceiveMessageSize = null, MaxSendMessageSize = null });
        var calls = _channel.Intercept(metadata =>
        {
            if (apiKey is not null)
            {
                metadata.Add("authorization", $"Bearer {apiKey}");
            }

            return metadata;
        });
        Chat = new Chat.ChatClient(calls);
        Models = new Models.ModelsClient(calls);
        Conversations = new Conversations.ConversationsClient(calls);
        Tenants = new Tenants.TenantsClient(calls);
        Training = new Training.TrainingClient(calls);
        Adapters = new Adapters.AdaptersClient(calls);
    }

    public Uri Address { get; }

    public Chat.ChatClient Chat { get; }

    public Models.ModelsClient Models { get; }

    public Conversations.ConversationsClient Conversations { get; }

    public Tenants.TenantsClient Tenants { get; }

    public Training.TrainingClient Training { get; }

    public Adapters.AdaptersClient Adapters { get; }

    public void Dispose() => _channel.Dispose();
}
