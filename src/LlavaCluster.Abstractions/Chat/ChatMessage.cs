using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;

namespace LlavaCluster.Abstractions.Chat;

/// <summary>One message of a conversation, in the client's order of text and pictures.</summary>
[GenerateSerializer, Immutable, Alias("llava.chat-message")]
public sealed record ChatMessage([property: Id(0)] ChatRole Role, [property: Id(1)] ImmutableArray<MessagePart> Parts);

[GenerateSerializer, Alias("llava.chat-role")]
public enum ChatRole
{
    System,
    User,
    Assistant,
}

/// <summary>Either text or a stored picture; exactly one of the two is set.</summary>
[GenerateSerializer, Immutable, Alias("llava.message-part")]
public sealed record MessagePart
{
    private MessagePart(string? text, ImageId? image)
    {
        Text = text;
        Image = image;
    }

    [Id(0)]
    public string? Text { get; }

    [Id(1)]
    public ImageId? Image { get; }

    public static MessagePart OfText(string text) => new(text, null);

    public static MessagePart OfImage(ImageId image) => new(null, image);
}
