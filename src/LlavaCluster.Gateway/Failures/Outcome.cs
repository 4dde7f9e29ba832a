using System.Diagnostics.CodeAnalysis;
using LlavaCluster.Abstractions.Chat;

namespace LlavaCluster.Gateway.Failures;

/// <summary>A value, or the failure to report instead of it.</summary>
internal readonly struct Outcome<T>
{
    private Outcome(T? value, ChatFailure? failure)
    {
        Value = value;
        Failure = failure;
    }

    public T? Value { get; }

    public ChatFailure? Failure { get; }

    public static implicit operator Outcome<T>(T value) => new(value, null);

    public static implicit operator Outcome<T>(ChatFailure failure) => new(default, failure);

    public bool IsFailure([NotNullWhen(true)] out ChatFailure? failure, [MaybeNullWhen(true)] out T value)
    {
        failure = Failure;
        value = Value;
        return failure is not null;
    }
}
