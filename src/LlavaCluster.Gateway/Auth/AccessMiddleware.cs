using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Gateway.Failures;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;

namespace LlavaCluster.Gateway.Auth;

/// <summary>
/// Stands before every route of the server, known or not. What passes carries a <see cref="Caller"/> or was marked as open to all. Where no key is
/// needed, one of ours that is sent all the same is its tenant's, and not let pass if it is wrong; anything else that clients send for a key is ignored.
/// </summary>
internal sealed class AccessMiddleware(RequestDelegate next, AccessPolicy policy, KeyVerifier keys, TenantDoor door)
{
    private const string Bearer = "Bearer ";

    private static readonly Caller Owner = new(TenantId.Default, Scopes.All);

    public async Task InvokeAsync(HttpContext context)
    {
        switch (policy.Current)
        {
            case AccessPolicy.Mode.Undecided:
                await ErrorWriter.WriteAsync(context, AccessRefusal.Starting);
                return;
            case AccessPolicy.Mode.OwnMachineOnly when LoopbackGuard.Refusal(context) is { } reason:
                await ErrorWriter.WriteAsync(context, AccessRefusal.ForeignPage(reason));
                return;
            case var _ when context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null:
                break;
            case AccessPolicy.Mode.OwnMachineOnly when KeyOf(context) is not { } key || !ApiKey.IsMeant(key):
                context.Features.Set(Owner);
                break;
            default:
                if (await IdentifyAsync(context) is { } refusal)
                {
                    await ErrorWriter.WriteAsync(context, refusal);
                    return;
                }

                break;
        }

        await PassAsync(context);
    }

    /// <summary>Operators' calls are about tenants and of none.</summary>
    private async Task PassAsync(HttpContext context)
    {
        if (context.Features.Get<Caller>() is not { } caller || context.GetEndpoint()?.Metadata.GetMetadata<RequiresScope>() == RequiresScope.Admin)
        {
            await next(context);
            return;
        }

        using var visit = await door.EnterAsync(caller.Tenant, context.Abort, context.RequestAborted);
        await (visit is null ? ErrorWriter.WriteAsync(context, AccessRefusal.BeingErased) : next(context));
    }

    private static string? KeyOf(HttpContext context) =>
        context.Request.Headers.Authorization is [{ } value] && value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? value[Bearer.Length..].Trim() : null;

    private async Task<AccessRefusal?> IdentifyAsync(HttpContext context)
    {
        if (KeyOf(context) is not { } key)
        {
            return AccessRefusal.NoKey;
        }

        var check = await keys.VerifyAsync(key, context.RequestAborted);
        if (check.Caller is not { } caller)
        {
            return check.Refusal;
        }

        var needed = (context.GetEndpoint()?.Metadata.GetMetadata<RequiresScope>() ?? RequiresScope.Chat).AnyOf;
        if (!caller.Scopes.Any(scope => needed.Contains(scope)))
        {
            return AccessRefusal.MissingScope(needed[0]);
        }

        context.Features.Set(caller);
        return null;
    }
}

/// <summary>The caller of a request that passed <see cref="AccessMiddleware"/>.</summary>
internal static class CallerExtensions
{
    public static Caller Caller(this HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException("The endpoint is open to all and has no caller.");
}
