using System.IO.Pipelines;

namespace LlavaCluster.Hosting.Transport;

/// <summary>A stream as a pair of pipes, as the silo's connections want it.</summary>
internal sealed class StreamDuplexPipe(Stream stream) : IDuplexPipe, IAsyncDisposable
{
    public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));

    public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));

    public async ValueTask DisposeAsync()
    {
        await Input.CompleteAsync();
        await Output.CompleteAsync();
    }
}
