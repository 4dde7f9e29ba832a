using LlavaCluster.Cli.Tuning;
using LlavaCluster.Model.Config;
using LlavaCluster.Model.Weights;
using LlavaCluster.TestSupport;

namespace LlavaCluster.Cli.Tests.Tuning;

public sealed class AdapterPackageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("llava-adapter-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Folder_TravelsAsOneFileAndIsTheSameAdapterAgain()
    {
        var peft = Goldens.Path("a_llava15", "adapter");
        var file = Path.Combine(_folder, "one.safetensors");
        await using (var package = AdapterPackage.Open(peft))
        await using (var copy = File.Create(file))
        {
            await package.CopyToAsync(copy, TestContext.Current.CancellationToken);
        }

        AdapterPackage.Unpack(file, Path.Combine(_folder, "again"));

        var config = LlavaConfigReader.Read(Goldens.Path("a_llava15"));
        using var first = LoraAdapterReader.Read(peft, config);
        using var second = LoraAdapterReader.Read(Path.Combine(_folder, "again"), config);
        Assert.Equal(first.Modules.Keys.Order(), second.Modules.Keys.Order());
        Assert.All(first.Modules, module => Assert.True(module.Value.A.equal(second.Modules[module.Key].A).all().item<bool>() && module.Value.Scale == second.Modules[module.Key].Scale));
    }

    [Fact]
    public void Folder_ThatIsNoAdapter_IsRefusedByName()
    {
        var refused = Assert.Throws<InvalidDataException>(() => AdapterPackage.Open(_folder));
        Assert.Contains(_folder, refused.Message, StringComparison.Ordinal);
    }
}
