using System.Text.Json;

namespace LlavaCluster.Training.Scenes;

/// <summary>Annotations as COCO writes them: numeric ids from 1, boxes as [x, y, width, height] in pixels.</summary>
internal sealed class CocoScenes(SceneClasses classes, IReadOnlyList<SceneAnnotation> annotations)
{
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        WriteImages(writer);
        WriteInstances(writer);
        WriteCategories(writer);
        WriteCaptions(writer);
        writer.WriteEndObject();
    }

    private void WriteImages(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("images");
        for (var image = 0; image < annotations.Count; image++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", image + 1);
            writer.WriteString("file_name", SceneDataset.ImagePath(annotations[image]));
            writer.WriteNumber("width", annotations[image].Width);
            writer.WriteNumber("height", annotations[image].Height);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private void WriteInstances(Utf8JsonWriter writer)
    {
        var id = 0;
        writer.WriteStartArray("annotations");
        for (var image = 0; image < annotations.Count; image++)
        {
            foreach (var instance in annotations[image].Instances)
            {
                writer.WriteStartObject();
                writer.WriteNumber("id", ++id);
                writer.WriteNumber("image_id", image + 1);
                writer.WriteNumber("category_id", classes.IndexOf(instance.Category) + 1);
                WriteBox(writer, instance.Box);
                writer.WriteNumber("area", instance.Box.Area);
                writer.WriteNumber("iscrowd", 0);
                writer.WriteEndObject();
            }
        }

        writer.WriteEndArray();
    }

    private static void WriteBox(Utf8JsonWriter writer, BoundingBox box)
    {
        writer.WriteStartArray("bbox");
        foreach (var value in (ReadOnlySpan<int>)[box.X, box.Y, box.Width, box.Height])
        {
            writer.WriteNumberValue(value);
        }

        writer.WriteEndArray();
    }

    private void WriteCategories(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("categories");
        for (var index = 0; index < classes.Count; index++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("id", index + 1);
            writer.WriteString("name", classes[index].Name);
            writer.WriteString("supercategory", classes[index].Kind);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private void WriteCaptions(Utf8JsonWriter writer)
    {
        var id = 0;
        writer.WriteStartArray("captions");
        for (var image = 0; image < annotations.Count; image++)
        {
            foreach (var caption in annotations[image].Captions)
            {
                writer.WriteStartObject();
                writer.WriteNumber("id", ++id);
                writer.WriteNumber("image_id", image + 1);
                writer.WriteString("caption", caption);
                writer.WriteEndObject();
            }
        }

        writer.WriteEndArray();
    }
}
