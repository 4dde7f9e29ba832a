using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;

namespace LlavaCluster.Hosting;

/// <summary>An assembly whose grains this process hosts.</summary>
internal sealed record HostedGrains(Assembly Assembly);

public static class HostedGrainsExtensions
{
    /// <summary>Hosts an assembly's grains. Of this product's grains only those of named assemblies are hosted, so one program can be any role.</summary>
    public static IServiceCollection AddHostedGrains(this IServiceCollection services, Assembly assembly) => services.AddSingleton(new HostedGrains(assembly));

    internal static void KeepHostedGrains(IServiceCollection services) => services.AddOptions<GrainTypeOptions>().PostConfigure<IEnumerable<HostedGrains>>((types, hosted) =>
    {
        var assemblies = hosted.Select(grains => grains.Assembly).ToHashSet();
        types.Classes.RemoveWhere(type => type.Assembly.GetName().Name!.StartsWith("LlavaCluster.", StringComparison.Ordinal) && !assemblies.Contains(type.Assembly));
    });
}
