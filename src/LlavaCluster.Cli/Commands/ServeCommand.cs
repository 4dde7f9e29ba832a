using System.CommandLine;
using System.Net;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava serve</c>: a front, a worker, or both in one process.</summary>
internal sealed class ServeCommand(Terminal terminal)
{
    private readonly Option<string> _role = new("--role") { DefaultValueFactory = _ => "all", Description = "all, front or worker." };
    private readonly Option<string?> _model = new("--model") { Description = "The model folder; default: the small model that is shipped." };
    private readonly Option<string?> _name = new("--model-name") { Description = "The name clients ask for; default: the folder's." };
    private readonly Option<string?> _tower = new("--vision-tower") { Description = "The CLIP folder, for checkpoints of the original layout that hold none." };
    private readonly Option<string?> _template = new("--template") { Description = "The conversation template; default: the model's." };
    private readonly Option<string> _weights = new("--weights") { DefaultValueFactory = _ => "auto", Description = "auto, f32 or bf16: the type to compute in; q8 or q4: the language model's matrices in 8 or 4 bits a weight, the rest in bf16 where the processor is fast at it, else as with auto." };
    private readonly Option<string> _device = new Option<string>("--device") { Description = DeviceOption.Description }.NamesADevice();
    private readonly Option<string> _data = new("--data") { DefaultValueFactory = _ => ServeOptions.DefaultData, Description = "Where everything durable lives; processes that share it are one cluster." };
    private readonly Option<string> _address = new("--address") { DefaultValueFactory = _ => "127.0.0.1", Description = "The IP address to listen on. Any but loopback needs API keys." };
    private readonly Option<int> _port = new("--port") { DefaultValueFactory = _ => 8080, Description = "The port for web page, HTTP and gRPC; 0: any free one." };
    private readonly Option<int> _siloPort = new("--silo-port") { Description = "The port other processes of the cluster reach this one by; 0: any free one." };
    private readonly Option<string?> _siloName = new("--silo-name") { Description = "This process's name in the cluster; keep it across restarts." };
    private readonly Option<string> _siloAddress = new("--silo-address") { DefaultValueFactory = _ => "127.0.0.1", Description = "The IP address other processes of the cluster reach this one by. Any but loopback needs the three files below." };
    private readonly Option<string?> _siloCert = new("--silo-cert") { Description = "This process's certificate for mutual TLS within the cluster, a PEM file." };
    private readonly Option<string?> _siloKey = new("--silo-key") { Description = "The certificate's key, a PEM file." };
    private readonly Option<string?> _siloCa = new("--silo-ca") { Description = "The authority that signed the certificate of every process of the cluster, a PEM file." };
    private readonly Option<int> _threads = new("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." };
    private readonly Option<string?> _keyFile = new("--key-file") { Description = "A file of API keys, one a line, as \"llava tenants keys new\" prints them; they may administer." };
    private readonly Option<bool> _imageUrls = new("--image-urls") { Description = "Fetch pictures that requests name by an https URL; from public addresses only." };
    private readonly Option<string[]> _imageHosts = new("--image-host") { Description = "With --image-urls: the only hosts to fetch from; may be given more than once. Default: every public one." };
    private readonly Option<int> _kvMegabytes = new("--kv-mb") { DefaultValueFactory = _ => 1024, Description = "Memory of the KV cache in MiB; at least one full context is kept." };
    private readonly Option<int> _guesses = new("--guess") { DefaultValueFactory = _ => 8, Description = "Tokens an answer may guess ahead from its own text, to be confirmed in the same step; answers do not change, and how many it does guess follows from what steps take. 0: none." };
    private readonly Option<int?> _tenantMegabytes = new("--max-tenant-mb") { Description = "Most MiB of pictures, files, adapters and checkpoints a tenant may store; what goes beyond is refused. Default: no limit." };
    private readonly Option<int> _adapterMegabytes = new("--adapter-mb") { DefaultValueFactory = _ => 1024, Description = "Memory of adapters in MiB; those that no request uses make room." };
    private readonly Option<bool> _noTraining = new("--no-training") { Description = "Train no adapters on this worker." };
    private readonly Option<int> _trainThreads = new("--train-threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that training computes with." };
    private readonly Option<int> _trainShare = new("--train-share") { DefaultValueFactory = _ => 10, Description = "Percent of the device's time that training gets while requests keep it busy." };

    public static Command Create(Terminal terminal) => new ServeCommand(terminal).Create();

    private Command Create()
    {
        _role.AcceptOnlyFromAmong("all", "front", "worker");
        _weights.AcceptOnlyFromAmong([.. WeightNames.All]);
        _port.Within(0, 65_535);
        _siloPort.Within(0, 65_535);
        _threads.Within(1, 1024);
        _kvMegabytes.Within(1, 1 << 24);
        _guesses.Within(0, 64);
        _tenantMegabytes.Within(1, 1 << 30);
        _adapterMegabytes.Within(1, 1 << 24);
        _trainThreads.Within(1, 1024);
        _trainShare.Within(1, 100);
        var command = new Command("serve", "Serve a model: web page, OpenAI-style HTTP and gRPC on one address.")
        {
            _role, _model, _name, _tower, _template, _weights, _device, _data, _address, _port, _siloAddress, _siloPort, _siloName, _siloCert, _siloKey, _siloCa, _threads, _kvMegabytes, _guesses, _keyFile, _imageUrls, _imageHosts, _tenantMegabytes, _adapterMegabytes, _noTraining, _trainThreads, _trainShare,
        };
        command.Validators.Add(result =>
        {
            if (new[] { _siloCert, _siloKey, _siloCa }.Count(option => result.GetValue(option) is not null) is 1 or 2)
            {
                result.AddError("--silo-cert, --silo-key and --silo-ca go together.");
            }
        });
        command.CheckWeights(_device, _weights);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, cancellationToken));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        if (!IPAddress.TryParse(parsed.GetRequiredValue(_address), out var address))
        {
            return terminal.Fail($"--address must be an IP address; was \"{parsed.GetValue(_address)}\".");
        }

        if (!IPAddress.TryParse(parsed.GetRequiredValue(_siloAddress), out var siloAddress))
        {
            return terminal.Fail($"--silo-address must be an IP address; was \"{parsed.GetValue(_siloAddress)}\".");
        }

        var options = new ServeOptions
        {
            Role = Enum.Parse<ClusterRole>(parsed.GetRequiredValue(_role), ignoreCase: true),
            Model = parsed.GetValue(_model) ?? ServeOptions.ShippedModel,
            ModelName = parsed.GetValue(_name),
            VisionTower = parsed.GetValue(_tower),
            Template = parsed.GetValue(_template),
            Weights = parsed.GetRequiredValue(_weights),
            Device = DeviceOption.Of(parsed, _device),
            Data = parsed.GetRequiredValue(_data),
            EndPoint = new IPEndPoint(address, parsed.GetValue(_port)),
            SiloAddress = siloAddress,
            SiloPort = parsed.GetValue(_siloPort),
            Certificates = parsed.GetValue(_siloCert) is { } cert ? new TransportCertificates(cert, parsed.GetRequiredValue(_siloKey)!, parsed.GetRequiredValue(_siloCa)!) : null,
            SiloName = parsed.GetValue(_siloName),
            Threads = parsed.GetValue(_threads),
            KeyFile = parsed.GetValue(_keyFile),
            ImageUrls = parsed.GetValue(_imageUrls),
            ImageHosts = [.. parsed.GetValue(_imageHosts) ?? []],
            MaxTenantBytes = (long?)parsed.GetValue(_tenantMegabytes) << 20,
            KvBytes = (long)parsed.GetValue(_kvMegabytes) << 20,
            Guesses = parsed.GetValue(_guesses),
            AdapterBytes = (long)parsed.GetValue(_adapterMegabytes) << 20,
            Trains = !parsed.GetValue(_noTraining),
            TrainingThreads = parsed.GetValue(_trainThreads),
            TrainingShare = parsed.GetValue(_trainShare) / 100.0,
        };
        try
        {
            await using var server = Server.Build(options);
            await server.RunAsync(cancellationToken);
            return 0;
        }
        catch (Exception exception) when (exception is ClusterStartException or CheckpointException or NotSupportedException or InvalidOperationException or InvalidDataException or UnauthorizedAccessException or IOException)
        {
            return terminal.Fail(exception.Message);
        }
    }
}
