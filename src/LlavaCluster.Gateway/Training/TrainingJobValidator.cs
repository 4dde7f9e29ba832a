using System.Collections.Immutable;
using System.Text.Json;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Abstractions.Training;
using LlavaCluster.Gateway.Adapters;
using LlavaCluster.Gateway.Failures;
using LlavaCluster.Gateway.Files;
using LlavaCluster.Gateway.Requests;
using LlavaCluster.Storage.Files;
using LlavaCluster.Storage.Objects;

namespace LlavaCluster.Gateway.Training;

/// <summary>Makes a job's specification of what a client asked for: first what the request says by itself, then what the cluster knows of what it names.</summary>
internal sealed class TrainingJobValidator(IModelCatalog models, TenantAdapters adapters, IFileStore files, IObjectStore objects, GatewayOptions options)
{
    private const int MostPairs = 16, MostKey = 64, MostValue = 512; // as OpenAI has them
    private const int MostSteps = 1_000_000;

    /// <summary>The specification as far as the request goes; it means nothing if a check failed.</summary>
    public TrainingJobSpec Read(TrainingJobKey key, RawTrainingJob raw, FieldChecks checks)
    {
        checks.Required(raw.Model, "model");
        checks.Required(raw.TrainingFile, "training_file");
        var training = File(raw.TrainingFile, "training_file", checks);
        var validation = File(raw.ValidationFile, "validation_file", checks);
        if (validation is not null && validation == training)
        {
            checks.Fail("validation_file", "must be another file than training_file.");
        }

        var name = raw.Suffix is null or "" ? key.Id : raw.Suffix;
        AdapterNames.Check(name, "suffix", checks);
        return new TrainingJobSpec
        {
            Model = raw.Model ?? "",
            TrainingFile = training ?? default,
            ValidationFile = validation,
            Images = File(raw.ImagesFile, "images_file", checks),
            AdapterName = name,
            TrafficShare = raw.TrafficShare is { } share ? checks.Range("traffic_share", share, 0, 1) : 1,
            MaxTrainers = raw.MaxTrainers is { } trainers ? checks.Whole("max_trainers", trainers, 1, options.Training.MaxTrainers) : 1,
            CheckpointEvery = raw.CheckpointEvery is { } steps ? checks.Whole("checkpoint_every", steps, 1, MostSteps) : null,
            Metadata = Metadata(raw.Metadata, checks),
            Options = TuningValidator.Validate(raw.Tuning, raw.Seed, validation is not null, checks),
        };
    }

    /// <summary>Why the cluster cannot do a job; null if it can try.</summary>
    /// <param name="path">Where the hyper-parameters are.</param>
    public async Task<ChatFailure?> RefusalAsync(TenantId tenant, TrainingJobSpec spec, string path, CancellationToken cancellationToken)
    {
        if (models.Models.FirstOrDefault(model => model.Name == spec.Model) is not { } card)
        {
            return new ChatFailure(ChatFailureKind.ModelNotFound, $"model must be a base of those in /v1/models; was \"{Excerpt.Of(spec.Model, 60)}\".", "model");
        }

        if (spec.Options.MaxTokens > card.ContextLength)
        {
            return Invalid(path + "max_tokens", $"must be at most {card.ContextLength}, the model's context; was {spec.Options.MaxTokens}.");
        }

        return await NameRefusalAsync(tenant, spec, cancellationToken)
            ?? await RefusalAsync(tenant, spec.TrainingFile, TrainingFileKind.Conversations, "training_file", cancellationToken)
            ?? (spec.ValidationFile is { } validation ? await RefusalAsync(tenant, validation, TrainingFileKind.Conversations, "validation_file", cancellationToken) : null)
            ?? (spec.Images is { } images ? await RefusalAsync(tenant, images, TrainingFileKind.Zip, "images_file", cancellationToken) : null);
    }

    private static ChatFailure Invalid(string field, string rule) => new(ChatFailureKind.InvalidRequest, $"{field} {rule}", field);

    private static ObjectId? File(string? id, string field, FieldChecks checks)
    {
        if (id is null or "")
        {
            return null;
        }

        if (!FileId.TryParse(id, out var file))
        {
            checks.Fail(field, $"must be a file's id, file- and 64 lower-case hexadecimal digits; was \"{Excerpt.Of(id, 80)}\".");
        }

        return file;
    }

    private static string? Metadata(ImmutableArray<KeyValuePair<string, string>> pairs, FieldChecks checks)
    {
        checks.Count("metadata", pairs.Length, MostPairs, "pairs");
        foreach (var (key, value) in pairs)
        {
            checks.Length("metadata", key, MostKey);
            checks.Length("metadata", value, MostValue);
            checks.WellFormed("metadata", key);
            checks.WellFormed("metadata", value);
        }

        // Sorted, so that the same pairs are the same text; of two with one name the later holds.
        return pairs.IsEmpty ? null : JsonSerializer.Serialize(new SortedDictionary<string, string>(pairs.GroupBy(pair => pair.Key).ToDictionary(same => same.Key, same => same.Last().Value), StringComparer.Ordinal));
    }

    /// <summary>A name that is taken by an adapter of another base could not be published when all is done.</summary>
    private async Task<ChatFailure?> NameRefusalAsync(TenantId tenant, TrainingJobSpec spec, CancellationToken cancellationToken)
    {
        var found = await adapters.FindAsync(tenant, spec.AdapterName, cancellationToken);
        return found.IsFailure(out var failure, out var known)
            ? failure == TenantAdapters.Unknown ? null : failure
            : known.Model == spec.Model ? null : Invalid("suffix", $"must not be the name of an adapter of another model; \"{known.Name}\" is one of {known.Model}.");
    }

    private async Task<ChatFailure?> RefusalAsync(TenantId tenant, ObjectId id, TrainingFileKind kind, string field, CancellationToken cancellationToken)
    {
        var file = await files.FindAsync(tenant, id, cancellationToken);
        await using var content = file is null ? null : await objects.OpenAsync(tenant, id, cancellationToken);
        if (file is null || content is null)
        {
            return new ChatFailure(ChatFailureKind.NotFound, $"{field} names a file that was not uploaded.", field);
        }

        var head = new byte[TrainingFileHead.Length];
        var length = await content.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken);
        return file.Purpose == FilePurposes.FineTune && TrainingFileHead.KindOf(head.AsSpan(0, length)) == kind
            ? null
            : Invalid(field, kind == TrainingFileKind.Zip ? "must be a zip of pictures, uploaded with the purpose fine-tune." : "must be a JSON array or JSON lines, uploaded with the purpose fine-tune.");
    }
}
