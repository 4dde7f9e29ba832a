using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace LlavaCluster.Gateway.Tests.Fakes;

/// <summary>An upload whose file is sent at once and whose purpose, after it, when the test says so.</summary>
internal sealed class HeldForm : HttpContent
{
    private const string Boundary = "held";

    private readonly TaskCompletionSource _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finish = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _file;
    private readonly string _purpose;

    public HeldForm(byte[] file, string purpose)
    {
        (_file, _purpose) = (file, purpose);
        Headers.ContentType = MediaTypeHeaderValue.Parse($"multipart/form-data; boundary={Boundary}");
    }

    public Task HasSentItsFile => _sent.Task;

    public void Finish() => _finish.TrySetResult();

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"--{Boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"data.json\"\r\n\r\n"));
        await stream.WriteAsync(_file);
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"\r\n--{Boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n"));
        await stream.FlushAsync();
        _sent.TrySetResult();
        await _finish.Task;
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"{_purpose}\r\n--{Boundary}--\r\n"));
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
