using System.CommandLine;
using System.Net;
using LlavaCluster.Cli.Serving;
using LlavaCluster.Hosting;
using LlavaCluster.Model.Weights;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava serve</c>: a front, a worker, or both in one process.</summary>
internal static class ServeCommand
{
    private static readonly Option<string> Role = new("--role") { DefaultValueFactory = _ => "all", Description = "all, front or worker." };
    private static readonly Option<string?> Model = new("--model") { Description = "The model folder; default: the small model that is shipped." };
    private static readonly Option<string?> Name = new("--model-name") { Description = "The name clients ask for; default: the folder's." };
    private static readonly Option<string?> Tower = new("--vision-tower") { Description = "The CLIP folder, for checkpoints of the original layout that hold none." };
    private static readonly Option<string?> Template = new("--template") { Description = "The conversation template; default: the model's." };
    private static readonly Option<string> Weights = new("--weights") { DefaultValueFactory = _ => "auto", Description = "auto, f32 or bf16: the type to compute in; q8 or q4: the language model's matrices in 8 or 4 bits a weight, the rest in bf16 where the processor is fast at it, else as with auto." };
    private static readonly Option<string> Device = new Option<string>("--device") { Description = DeviceOption.Description }.NamesADevice();
    private static readonly Option<string> Data = new("--data") { DefaultValueFactory = _ => ServeOptions.DefaultData, Description = "Where everything durable lives; processes that share it are one cluster." };
    private static readonly Option<string> Address = new("--address") { DefaultValueFactory = _ => "127.0.0.1", Description = "The IP address to listen on. Any but loopback needs API keys." };
    private static readonly Option<int> Port = new("--port") { DefaultValueFactory = _ => 8080, Description = "The port for web page, HTTP and gRPC; 0: any free one." };
    private static readonly Option<int> SiloPort = new("--silo-port") { Description = "The port other processes of the cluster reach this one by; 0: any free one." };
    private static readonly Option<string?> SiloName = new("--silo-name") { Description = "This process's name in the cluster; keep it across restarts." };
    private static readonly Option<string> SiloAddress = new("--silo-address") { DefaultValueFactory = _ => "127.0.0.1", Description = "The IP address other processes of the cluster reach this one by. Any but loopback needs the three files below." };
    private static readonly Option<string?> SiloCert = new("--silo-cert") { Description = "This process's certificate for mutual TLS within the cluster, a PEM file." };
    private static readonly Option<string?> SiloKey = new("--silo-key") { Description = "The certificate's key, a PEM file." };
    private static readonly Option<string?> SiloCa = new("--silo-ca") { Description = "The authority that signed the certificate of every process of the cluster, a PEM file." };
    private static readonly Option<int> Threads = new("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that compute." };
    private static readonly Option<string?> KeyFile = new("--key-file") { Description = "A file of API keys, one a line, as \"llava tenants keys new\" prints them; they may administer." };
    private static readonly Option<bool> ImageUrls = new("--image-urls") { Description = "Fetch pictures that requests name by an https URL; from public addresses only." };
    private static readonly Option<string[]> ImageHosts = new("--image-host") { Description = "With --image-urls: the only hosts to fetch from; may be given more than once. Default: every public one." };
    private static readonly Option<int> KvMegabytes = new("--kv-mb") { DefaultValueFactory = _ => 1024, Description = "Memory of the KV cache in MiB; at least one full context is kept." };
    private static readonly Option<int> Guesses = new("--guess") { DefaultValueFactory = _ => 8, Description = "Tokens an answer may guess ahead from its own text, to be confirmed in the same step; answers do not change, and how many it does guess follows from what steps take. 0: none." };
    private static readonly Option<int?> TenantMegabytes = new("--max-tenant-mb") { Description = "Most MiB of pictures, files, adapters and checkpoints a tenant may store; what goes beyond is refused. Default: no limit." };
    private static readonly Option<int> AdapterMegabytes = new("--adapter-mb") { DefaultValueFactory = _ => 1024, Description = "Memory of adapters in MiB; those that no request uses make room." };
    private static readonly Option<bool> NoTraining = new("--no-training") { Description = "Train no adapters on this worker." };
    private static readonly Option<int> TrainThreads = new("--train-threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads that training computes with." };
    private static readonly Option<int> TrainShare = new("--train-share") { DefaultValueFactory = _ => 10, Description = "Percent of the device's time that training gets while requests keep it busy." };

    public static Command Create(Terminal terminal)
    {
        Role.AcceptOnlyFromAmong("all", "front", "worker");
        Weights.AcceptOnlyFromAmong([.. WeightNames.All]);
        Port.Within(0, 65_535);
        SiloPort.Within(0, 65_535);
        Threads.Within(1, 1024);
        KvMegabytes.Within(1, 1 << 24);
        Guesses.Within(0, 64);
        TenantMegabytes.Within(1, 1 << 30);
        AdapterMegabytes.Within(1, 1 << 24);
        TrainThreads.Within(1, 1024);
        TrainShare.Within(1, 100);
        var command = new Command("serve", "Serve a model: web page, OpenAI-style HTTP and gRPC on one address.")
        {
            Role, Model, Name, Tower, Template, Weights, Device, Data, Address, Port, SiloAddress, SiloPort, SiloName, SiloCert, SiloKey, SiloCa, Threads, KvMegabytes, Guesses, KeyFile, ImageUrls, ImageHosts, TenantMegabytes, AdapterMegabytes, NoTraining, TrainThreads, TrainShare,
        };
        command.Validators.Add(result =>
        {
            if (new[] { SiloCert, SiloKey, SiloCa }.Count(option => result.GetValue(option) is not null) is 1 or 2)
            {
                result.AddError("--silo-cert, --silo-key and --silo-ca go together.");
            }
        });
        command.CheckWeights(Device, Weights);
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed, terminal, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken)
    {
        if (!IPAddress.TryParse(parsed.GetRequiredValue(Address), out var address))
        {
            return terminal.Fail($"--address must be an IP address; was \"{parsed.GetValue(Address)}\".");
        }

        if (!IPAddress.TryParse(parsed.GetRequiredValue(SiloAddress), out var siloAddress))
        {
            return terminal.Fail($"--silo-address must be an IP address; was \"{parsed.GetValue(SiloAddress)}\".");
        }

        var options = new ServeOptions
        {
            Role = Enum.Parse<ClusterRole>(parsed.GetRequiredValue(Role), ignoreCase: true),
            Model = parsed.GetValue(Model) ?? ServeOptions.ShippedModel,
            ModelName = parsed.GetValue(Name),
            VisionTower = parsed.GetValue(Tower),
            Template = parsed.GetValue(Template),
            Weights = parsed.GetRequiredValue(Weights),
            Device = DeviceOption.Of(parsed, Device),
            Data = parsed.GetRequiredValue(Data),
            EndPoint = new IPEndPoint(address, parsed.GetValue(Port)),
            SiloAddress = siloAddress,
            SiloPort = parsed.GetValue(SiloPort),
            Certificates = parsed.GetValue(SiloCert) is { } cert ? new TransportCertificates(cert, parsed.GetRequiredValue(SiloKey)!, parsed.GetRequiredValue(SiloCa)!) : null,
            SiloName = parsed.GetValue(SiloName),
            Threads = parsed.GetValue(Threads),
            KeyFile = parsed.GetValue(KeyFile),
            ImageUrls = parsed.GetValue(ImageUrls),
            ImageHosts = [.. parsed.GetValue(ImageHosts) ?? []],
            MaxTenantBytes = (long?)parsed.GetValue(TenantMegabytes) << 20,
            KvBytes = (long)parsed.GetValue(KvMegabytes) << 20,
            Guesses = parsed.GetValue(Guesses),
            AdapterBytes = (long)parsed.GetValue(AdapterMegabytes) << 20,
            Trains = !parsed.GetValue(NoTraining),
            TrainingThreads = parsed.GetValue(TrainThreads),
            TrainingShare = parsed.GetValue(TrainShare) / 100.0,
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
