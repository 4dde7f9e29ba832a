using LlavaCluster.Grains.Tests.Support;
using LlavaCluster.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using ClusterOptions = LlavaCluster.Hosting.ClusterOptions;

namespace LlavaCluster.Grains.Tests;

/// <summary>What processes that share a data directory are called. A worker is known by its silo's name.</summary>
public sealed class SiloNameTests
{
    [Fact]
    public async Task DefaultName_OfASecondProcess_IsNotTheFirsts()
    {
        using var data = new DataFolder();
        await using var first = Build(data, null);
        await using var second = Build(data, null);

        Assert.Equal(("all", $"all-{Environment.ProcessId}"), (Name(first), Name(second)));
    }

    [Fact]
    public async Task Name_OfARunningProcess_IsRefusedUntilThatEnds()
    {
        using var data = new DataFolder();
        await using (var first = Build(data, "rack 1/gpu"))
        {
            Assert.Equal("rack 1/gpu", Name(first));
            var refused = Assert.Throws<ClusterStartException>(() => Build(data, "rack 1/gpu"));
            Assert.Contains("\"rack 1/gpu\" cannot be had", refused.Message, StringComparison.Ordinal);
        }

        await using var next = Build(data, "rack 1/gpu");
        Assert.Equal("rack 1/gpu", Name(next));
    }

    private static WebApplication Build(DataFolder data, string? name)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.UseLlavaCluster(new ClusterOptions { DataDirectory = data.Path, SiloName = name });
        var app = builder.Build();
        app.Services.GetRequiredService<DataDirectory>(); // The host lets go of what it has made.
        return app;
    }

    private static string Name(WebApplication app) => app.Services.GetRequiredService<IOptions<SiloOptions>>().Value.SiloName;
}
