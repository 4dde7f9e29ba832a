using System.Text.Json.Nodes;

namespace LlavaCluster.Cli.Benchmarks.Load;

/// <summary>What chats ask: words drawn at random, and with a chat's first question its picture. Thread-safe.</summary>
internal sealed class LoadQuestions(LoadOptions options, LoadPictures pictures)
{
    private static readonly string[] Words =
        "which small thing stands near that large one and what does it look like from here when light falls on its other side would you say they belong together or not name every colour shape place count them twice then compare".Split(' ');

    /// <summary>A question as OpenAI's chat completions take it.</summary>
    /// <param name="chat">From 0, of those that the options begin with.</param>
    /// <param name="turn">Of the chat, from 0.</param>
    /// <param name="random">The chat's draws.</param>
    public JsonObject Ask(int chat, int turn, Random random)
    {
        var text = string.Join(' ', Enumerable.Range(0, options.Words).Select(_ => Words[random.Next(Words.Length)])) + "?";
        var content = new JsonArray();
        if (turn == 0 && Picture(options.FirstChat + chat) is { } picture)
        {
            content.Add(new JsonObject { ["type"] = "image_url", ["image_url"] = new JsonObject { ["url"] = picture } });
        }

        content.Add(new JsonObject { ["type"] = "text", ["text"] = text });
        return new JsonObject { ["role"] = "user", ["content"] = content };
    }

    private string? Picture(int number) => options.Pictures switch
    {
        PictureChoice.Own => pictures[number],
        PictureChoice.Same => pictures[0],
        _ => null,
    };
}
