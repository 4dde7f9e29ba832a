using System.CommandLine;
using System.Globalization;
using System.Numerics;
using Llava.V1;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Client;
using LlavaCluster.Gateway.Auth;
using Spectre.Console;

namespace LlavaCluster.Cli.Commands;

/// <summary><c>llava tenants</c>: keys, quotas and usage, for operators.</summary>
internal sealed class TenantsCommand(Terminal terminal)
{
    public static Command Create(Terminal terminal)
    {
        var tenants = new TenantsCommand(terminal);
        return new Command("tenants", "Keys, quotas and usage of tenants.")
        {
            new Command("keys", "API keys.") { tenants.New(), tenants.CreateKey(), tenants.List(), tenants.Revoke() },
            tenants.Usage(),
            tenants.Quota(),
            tenants.Erase(),
        };
    }

    private static Argument<string> Tenant() => new("tenant") { Description = "1 to 64 of a-z, 0-9, '-', '_'." };

    private Command New()
    {
        var tenant = new Option<string>("--tenant") { DefaultValueFactory = _ => TenantId.Default.Value, Description = "Whose key it is." };
        var command = new Command("new", "Print a fresh administrator's key for \"llava serve --key-file\"; asks no server.") { tenant };
        command.SetAction(parsed =>
        {
            if (!TenantId.TryParse(parsed.GetRequiredValue(tenant), out var name))
            {
                return terminal.Fail($"--tenant must be 1 to 64 of a-z, 0-9, '-', '_'; was \"{parsed.GetValue(tenant)}\".");
            }

            Plain(KeyFile.NewKey(name.Value));
            return 0;
        });
        return command;
    }

    private Command CreateKey()
    {
        var tenant = Tenant();
        var label = new Option<string>("--label") { DefaultValueFactory = _ => "", Description = "For people." };
        var scopes = new Option<string[]>("--scope") { Description = "chat, train, admin; may be given more than once. Default: chat." };
        var command = new Command("create", "Make a key; its secret is shown now and never again.") { tenant, label, scopes };
        new ServerCalls(terminal).Bind(command, async (parsed, server, cancellationToken) =>
        {
            var request = new CreateKeyRequest { Tenant = parsed.GetRequiredValue(tenant), Label = parsed.GetRequiredValue(label), Scopes = { parsed.GetValue(scopes) ?? [] } };
            Plain((await server.Tenants.CreateKeyAsync(request, cancellationToken: cancellationToken)).ApiKey);
        });
        return command;
    }

    private Command List()
    {
        var tenant = Tenant();
        var command = new Command("list", "A tenant's keys.") { tenant };
        new ServerCalls(terminal).Bind(command, async (parsed, server, cancellationToken) =>
        {
            var keys = await server.Tenants.ListKeysAsync(new ListKeysRequest { Tenant = parsed.GetRequiredValue(tenant) }, cancellationToken: cancellationToken);
            var table = new Table().AddColumns("key", "label", "scopes", "created");
            foreach (var key in keys.Keys)
            {
                table.AddRow(new Text(key.KeyId), new Text(key.Label), new Text(string.Join(", ", key.Scopes)), new Text(key.CreatedAt.ToDateTime().ToString("u", CultureInfo.InvariantCulture)));
            }

            terminal.Out.Write(table);
        });
        return command;
    }

    private Command Revoke()
    {
        var tenant = Tenant();
        var key = new Argument<string>("key") { Description = "The key's id, as list shows it." };
        var command = new Command("revoke", "Revoke a key; every gateway has forgotten it after 30 seconds.") { tenant, key };
        new ServerCalls(terminal).Bind(command, async (parsed, server, cancellationToken) =>
        {
            var request = new RevokeKeyRequest { Tenant = parsed.GetRequiredValue(tenant), KeyId = parsed.GetRequiredValue(key) };
            var revoked = (await server.Tenants.RevokeKeyAsync(request, cancellationToken: cancellationToken)).Revoked;
            Plain(revoked ? "Revoked." : throw new InvalidDataException($"The tenant has no key {request.KeyId}."));
        });
        return command;
    }

    private Command Usage()
    {
        var tenant = Tenant();
        var command = new Command("usage", "What a tenant has used, and its quota.") { tenant };
        new ServerCalls(terminal).Bind(command, async (parsed, server, cancellationToken) =>
            Show(await server.Tenants.GetUsageAsync(new GetUsageRequest { Tenant = parsed.GetRequiredValue(tenant) }, cancellationToken: cancellationToken)));
        return command;
    }

    private Command Quota()
    {
        var tenant = Tenant();
        var requests = new Option<int?>("--requests-per-minute") { Description = "-1: no limit." };
        var tokens = new Option<int?>("--tokens-per-minute") { Description = "-1: no limit." };
        var turns = new Option<int?>("--concurrent-turns") { Description = "-1: no limit." };
        var jobs = new Option<int?>("--training-jobs") { Description = "Fine-tuning jobs at a time; -1: no limit." };
        var seconds = new Option<double?>("--training-seconds-per-day") { Description = "Of devices, from midnight (UTC) on; -1: no limit." };
        var megabytes = new Option<long?>("--storage-mb") { Description = "MiB of pictures, files, adapters and checkpoints; -1: no limit." };
        var weight = new Option<double?>("--weight") { Description = "Share in the scheduling, greater than 0, up to 1000." };
        var command = new Command("quota", "Set a tenant's limits; what is not named stays.") { tenant, requests, tokens, turns, jobs, seconds, megabytes, weight };
        new ServerCalls(terminal).Bind(command, async (parsed, server, cancellationToken) =>
        {
            var name = parsed.GetRequiredValue(tenant);
            var quota = (await server.Tenants.GetUsageAsync(new GetUsageRequest { Tenant = name }, cancellationToken: cancellationToken)).Quota;
            Change(parsed.GetValue(requests), value => quota.RequestsPerMinute = value, quota.ClearRequestsPerMinute);
            Change(parsed.GetValue(tokens), value => quota.TokensPerMinute = value, quota.ClearTokensPerMinute);
            Change(parsed.GetValue(turns), value => quota.ConcurrentTurns = value, quota.ClearConcurrentTurns);
            Change(parsed.GetValue(jobs), value => quota.TrainingJobs = value, quota.ClearTrainingJobs);
            Change(parsed.GetValue(seconds), value => quota.TrainingSecondsPerDay = value, quota.ClearTrainingSecondsPerDay);
            Change(parsed.GetValue(megabytes), value => quota.StorageBytes = value << 20, quota.ClearStorageBytes);
            quota.Weight = parsed.GetValue(weight) ?? quota.Weight;
            await server.Tenants.SetQuotaAsync(new SetQuotaRequest { Tenant = name, Quota = quota }, cancellationToken: cancellationToken);
            Show(await server.Tenants.GetUsageAsync(new GetUsageRequest { Tenant = name }, cancellationToken: cancellationToken));
        });
        return command;
    }

    private Command Erase()
    {
        var tenant = Tenant();
        var command = new Command("erase", "Remove all there is of a tenant, for good: keys, usage, jobs, conversations, files, pictures, adapters, and what workers keep in memory for it.") { tenant };
        command.Aliases.Add("delete");
        new ServerCalls(terminal).Bind(command, async (parsed, server, cancellationToken) =>
        {
            // One id for all calls: whatever is lost on the way, it is this erasure that is asked about.
            var request = new EraseTenantRequest { Tenant = parsed.GetRequiredValue(tenant), ErasureId = Guid.NewGuid().ToString() };
            var told = "";
            EraseTenantResponse erasure;
            while (!(erasure = await server.Tenants.EraseTenantAsync(request, cancellationToken: cancellationToken)).Finished)
            {
                request.ErasureId = erasure.ErasureId; // one that was begun before goes on
                if (erasure.WaitsFor.Length > 0 && erasure.WaitsFor != told)
                {
                    Plain($"Waits for {told = erasure.WaitsFor}.");
                }
            }

            Show(erasure);
        });
        return command;
    }

    private void Show(EraseTenantResponse erasure)
    {
        var found = erasure.Found;
        Plain($"erased: {found.Keys} keys, {found.Jobs} jobs, {found.Conversations} conversations, {found.Adapters} versions of adapters, {found.Files} files");
        Plain($"objects: {found.Objects}, {found.Bytes} bytes");
        Plain($"in memory: {erasure.CachedBlocks} blocks of KV, {erasure.CachedImages} pictures, {erasure.LoadedAdapters} adapters");
    }

    private static void Change<T>(T? value, Action<T> set, Action clear)
        where T : struct, INumber<T>
    {
        if (value == -T.One)
        {
            clear();
        }
        else if (value is { } limit)
        {
            set(limit);
        }
    }

    private void Show(GetUsageResponse usage)
    {
        var quota = usage.Quota;
        Plain($"turns: {usage.Turns}, {usage.RunningTurns} running now");
        Plain($"tokens: {usage.PromptTokens} prompt ({usage.ImageTokens} of pictures), {usage.CompletionTokens} completion");
        Plain($"requests a minute: {(quota.HasRequestsPerMinute ? quota.RequestsPerMinute : "no limit")}");
        Plain($"tokens a minute: {(quota.HasTokensPerMinute ? quota.TokensPerMinute : "no limit")}");
        Plain($"concurrent turns: {(quota.HasConcurrentTurns ? quota.ConcurrentTurns : "no limit")}");
        Plain(string.Create(CultureInfo.InvariantCulture, $"weight: {quota.Weight}"));
        Plain(string.Create(CultureInfo.InvariantCulture, $"training: {usage.RunningJobs} jobs running now, {usage.TrainingSeconds:0} s of devices, {usage.TrainingSecondsToday:0} s today"));
        Plain($"training jobs at a time: {(quota.HasTrainingJobs ? quota.TrainingJobs : "no limit")}");
        Plain(string.Create(CultureInfo.InvariantCulture, $"training seconds a day: {(quota.HasTrainingSecondsPerDay ? quota.TrainingSecondsPerDay : "no limit")}"));
        Plain($"stored bytes: {usage.StoredBytes} of {(quota.HasStorageBytes ? quota.StorageBytes : "no limit")}");
    }

    // A wrapped or styled key could not be copied.
    private void Plain(string line) => terminal.Out.Profile.Out.Writer.WriteLine(line);
}
