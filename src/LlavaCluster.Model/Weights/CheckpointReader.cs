using LlavaCluster.Model.Config;
using static TorchSharp.torch;

namespace LlavaCluster.Model.Weights;

/// <summary>
/// Opens a model folder: reads its config, maps its weight files and checks every tensor against <see cref="TensorPlan"/>. Missing, extra and misshapen tensors
/// are refused by name, all in one <see cref="CheckpointException"/>. No weights are read, so this takes milliseconds whatever the size.
/// </summary>
public static class CheckpointReader
{
    private const string ProjectorFile = "mm_projector.bin";
    private const int MostFaultsListed = 10;

    public static Checkpoint Open(string folder, CheckpointOptions? options = null)
    {
        options ??= new CheckpointOptions();
        var root = LlavaConfigReader.ReadRoot(folder);
        var config = LlavaConfigReader.Read(folder, options.VisionTower);
        var files = new List<ITensorFile>();
        try
        {
            var tensors = new Dictionary<string, CheckpointTensor>(StringComparer.Ordinal);
            AddWeights(tensors, Keep(files, ShardedCheckpoint.Open(folder)));
            if (LlavaConfigReader.IsOriginal(root))
            {
                AddTower(tensors, files, OriginalConfig.FindTower(root, folder, options.VisionTower));
                RequireTower(folder, root, tensors);
            }

            AddProjector(tensors, files, folder, options.Projector);
            AddNewline(tensors, root, config);
            var packed = PackedMatricesReader.Take(folder, config, tensors);
            RequirePlan(folder, config, tensors);
            return new Checkpoint(folder, config, files, tensors, packed);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    private static ITensorFile Keep(List<ITensorFile> files, ITensorFile file)
    {
        files.Add(file);
        return file;
    }

    private static void AddWeights(Dictionary<string, CheckpointTensor> tensors, ITensorFile file)
    {
        foreach (var (name, info) in file.Tensors)
        {
            if (TensorNames.IsIgnored(name))
            {
                continue;
            }

            if (!tensors.TryAdd(TensorNames.Canonical(name), new CheckpointTensor(info, () => file.View(name))))
            {
                throw new CheckpointException(file.Path, name, $"and '{tensors[TensorNames.Canonical(name)].Info.Name}' are two names of one tensor.");
            }
        }
    }

    // A model that brings its tower has tuned it. A CLIP checkpoint also holds the text tower, which LLaVA has no use for.
    private static void AddTower(Dictionary<string, CheckpointTensor> tensors, List<ITensorFile> files, string? folder)
    {
        if (folder is null || HasTower(tensors))
        {
            return;
        }

        var tower = Keep(files, ShardedCheckpoint.Open(folder));
        foreach (var (name, info) in tower.Tensors)
        {
            var canonical = TensorNames.Canonical(name);
            if (canonical.StartsWith(TensorNames.VisionTower + ".", StringComparison.Ordinal) && !TensorNames.IsIgnored(name))
            {
                tensors[canonical] = new CheckpointTensor(info, () => tower.View(name));
            }
        }
    }

    private static bool HasTower(Dictionary<string, CheckpointTensor> tensors) =>
        tensors.Keys.Any(name => name.StartsWith(TensorNames.VisionTower + ".", StringComparison.Ordinal));

    private static void RequireTower(string folder, ConfigSection root, Dictionary<string, CheckpointTensor> tensors)
    {
        if (!HasTower(tensors))
        {
            throw new CheckpointException(folder, $"holds no vision tower; give the folder of '{CheckpointException.Printable(root.Text("mm_vision_tower") ?? "")}'.");
        }
    }

    private static void AddProjector(Dictionary<string, CheckpointTensor> tensors, List<ITensorFile> files, string folder, string? given)
    {
        var beside = Path.Combine(folder, ProjectorFile);
        var hasOwn = tensors.Keys.Any(name => name.StartsWith(TensorNames.Projector + ".", StringComparison.Ordinal));
        if ((given ?? (!hasOwn && File.Exists(beside) ? beside : null)) is not { } path)
        {
            return;
        }

        var file = Keep(files, TensorFile.Open(path));
        foreach (var (name, info) in file.Tensors.Where(entry => !TensorNames.IsIgnored(entry.Key)))
        {
            tensors[TensorNames.Canonical(LoraNames.StripWrapper(name))] = new CheckpointTensor(info, () => file.View(name));
        }
    }

    // Some derived configs carry the newline as numbers; where there is a tensor, it wins.
    private static void AddNewline(Dictionary<string, CheckpointTensor> tensors, ConfigSection root, LlavaConfig config)
    {
        if (config.Family == ModelFamily.LlavaNext && !tensors.ContainsKey(TensorNames.ImageNewline) && root.Numbers(TensorNames.ImageNewline) is { } numbers)
        {
            var info = new TensorInfo(TensorNames.ImageNewline, ScalarType.Float32, [numbers.Length]);
            tensors.Add(TensorNames.ImageNewline, new CheckpointTensor(info, () => tensor(numbers.Select(number => (float)number).ToArray())));
        }
    }

    private static void RequirePlan(string folder, LlavaConfig config, Dictionary<string, CheckpointTensor> tensors)
    {
        var faults = new List<string>();
        var planned = new HashSet<string>(StringComparer.Ordinal);
        foreach (var expected in TensorPlan.For(config))
        {
            _ = planned.Add(expected.Name);
            if (!tensors.TryGetValue(expected.Name, out var tensor))
            {
                if (!expected.Optional)
                {
                    faults.Add($"'{expected.Name}' {TensorInfo.Print(expected.Shape)} is missing");
                }
            }
            else if (!tensor.Info.Shape.SequenceEqual(expected.Shape))
            {
                faults.Add($"'{CheckpointException.Printable(tensor.Info.Name)}' must have shape {TensorInfo.Print(expected.Shape)}; was {tensor.Info.ShapeText}");
            }
            else if (!tensor.Info.IsFloatingPoint)
            {
                faults.Add($"'{CheckpointException.Printable(tensor.Info.Name)}' must hold floating-point numbers; was {tensor.Info.Type}");
            }
        }

        faults.AddRange(tensors.Where(entry => !planned.Contains(entry.Key)).Select(entry => $"'{CheckpointException.Printable(entry.Value.Info.Name)}' {entry.Value.Info.ShapeText} is not part of the model"));
        if (faults.Count > 0)
        {
            var more = faults.Count > MostFaultsListed ? $"; and {faults.Count - MostFaultsListed} more" : "";
            throw new CheckpointException(folder, $"its tensors do not fit its config: {string.Join("; ", faults.Take(MostFaultsListed))}{more}.");
        }
    }
}
