using System.Text.Json;

namespace LlavaCluster.Training.Scenes;

/// <summary>Conversations as LLaVA's data files hold them: id, image, conversations of {from: human | gpt, value}.</summary>
internal static class LlavaScenes
{
    private const string ImageMarker = "<image>";
    private const ulong MarkerPurpose = 200;
    private const int FlushEvery = 1024;

    public static Action<Utf8JsonWriter> WriterOf(IReadOnlyList<SceneAnnotation> annotations, Func<SceneAnnotation, SceneConversation> teach, SceneVoice voice) => writer =>
    {
        writer.WriteStartArray();
        for (var index = 0; index < annotations.Count; index++)
        {
            Write(writer, annotations[index], teach(annotations[index]), voice);
            if (index % FlushEvery == 0)
            {
                writer.Flush();
            }
        }

        writer.WriteEndArray();
    };

    private static void Write(Utf8JsonWriter writer, SceneAnnotation annotation, SceneConversation conversation, SceneVoice voice)
    {
        writer.WriteStartObject();
        writer.WriteString("id", annotation.ImageId);
        writer.WriteString("image", SceneDataset.ImagePath(annotation));
        writer.WriteStartArray("conversations");
        var markerFirst = SceneRandom.For(annotation.ImageId, 0, MarkerPurpose).Chance(0.5f);
        for (var turn = 0; turn < conversation.Turns.Count; turn++)
        {
            var question = conversation.Turns[turn];
            WriteTurn(writer, "human", turn == 0 ? WithMarker(question.Text, markerFirst) : question.Text);
            WriteTurn(writer, "gpt", voice.Say(question.Answer));
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>The marker before or after the question, half and half, as in the paper's data.</summary>
    private static string WithMarker(string text, bool first) => first ? $"{ImageMarker}\n{text}" : $"{text}\n{ImageMarker}";

    private static void WriteTurn(Utf8JsonWriter writer, string from, string value)
    {
        writer.WriteStartObject();
        writer.WriteString("from", from);
        writer.WriteString("value", value);
        writer.WriteEndObject();
    }
}
