namespace LlavaCluster.Gateway.Auth;

/// <summary>Endpoint metadata: the scope a caller needs. An endpoint without it needs <see cref="Scopes.Chat"/>.</summary>
internal sealed record RequiresScope(string Scope);
