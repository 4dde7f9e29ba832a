namespace LlavaCluster.Client;

/// <summary>How a <see cref="LlavaChatClient"/> treats lost connections.</summary>
public sealed class LlavaChatOptions
{
    /// <summary>How long a lost answer is looked for again, counted from its loss. Default: 30 seconds.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Pause between two attempts. Default: 200 milliseconds.</summary>
    public TimeSpan Pause { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Default: the system's clock.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;
}
