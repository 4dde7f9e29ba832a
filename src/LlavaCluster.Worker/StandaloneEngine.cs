using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Workers;
using LlavaCluster.Engine;
using LlavaCluster.Hosting;
using LlavaCluster.Storage.Objects;
using LlavaCluster.Worker.Serving;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlavaCluster.Worker;

/// <summary>A worker's engine with nothing around it: no grains and no journal; pictures in a folder of its own. What it does and a server does not is what the cluster costs. Thread-safe.</summary>
public sealed class StandaloneEngine : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly DataDirectory _data;
    private readonly EngineInstruments _instruments;
    private readonly DirectoryObjectStore _objects;
    private readonly LlavaEngineHost _host;

    private StandaloneEngine(WorkerOptions options)
    {
        _folder = Directory.CreateTempSubdirectory("llava-engine-");
        _data = DataDirectory.Open(_folder.FullName);
        _instruments = new EngineInstruments();
        _objects = new DirectoryObjectStore(_data.ObjectsFolder);
        _host = new LlavaEngineHost(new ModelLoading(options, TimeProvider.System), _objects, _data, TimeProvider.System, _instruments, NullLoggerFactory.Instance);
    }

    /// <summary>The model it serves.</summary>
    public ModelCard Model => _host.Models[0];

    /// <summary>Loads the model.</summary>
    public static async Task<StandaloneEngine> StartAsync(WorkerOptions options, CancellationToken cancellationToken)
    {
        var engine = new StandaloneEngine(options);
        try
        {
            await engine._host.StartAsync(cancellationToken);
            return engine;
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Keeps a picture; messages name it by the id.</summary>
    /// <exception cref="IOException">The temporary folder takes no more.</exception>
    public async Task<ImageId> KeepAsync(ReadOnlyMemory<byte> picture, CancellationToken cancellationToken)
    {
        var id = ImageId.Of(picture.Span);
        return await _objects.PutAsync(TenantId.Default, id.Object, picture, cancellationToken) is { } fault ? throw new IOException($"The picture cannot be kept: {fault}.") : id;
    }

    /// <summary>One answer, as a worker's grain would hand it on.</summary>
    /// <param name="messages">The whole conversation, its pictures kept before.</param>
    public IAsyncEnumerable<GenerateUpdate> GenerateAsync(IEnumerable<ChatMessage> messages, GenerationOptions options, CancellationToken cancellationToken) => _host.GenerateAsync(
        new GenerateRequest { Tenant = TenantId.Default, TurnId = Guid.NewGuid(), Model = Model.Name, Messages = [.. messages], Options = options, Journal = [.. Enumerable.Repeat<System.Collections.Immutable.ImmutableArray<int>>([], options.Choices)] },
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _instruments.Dispose();
        _data.Dispose();
        _folder.Delete(recursive: true);
    }
}
