using System.Collections.Immutable;

namespace LlavaCluster.Gateway.Auth;

/// <summary>Endpoint metadata: the scopes of which a caller needs one, that which is told to who has none first. An endpoint without it needs <see cref="Scopes.Chat"/>.</summary>
internal sealed record RequiresScope(ImmutableArray<string> AnyOf)
{
    public static RequiresScope Chat { get; } = new([Scopes.Chat]);

    public static RequiresScope Admin { get; } = new([Scopes.Admin]);

    public static RequiresScope Train { get; } = new(Scopes.Training);

    /// <summary>For what chats and trainings share; the endpoint itself tells them apart.</summary>
    public static RequiresScope Any { get; } = new(Scopes.All);
}
