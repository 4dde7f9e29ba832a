namespace LlavaCluster.Model.Text;

/// <summary>Writes conversations by a template: for training with its answers marked as learned, for serving with nothing marked, for a token of the model's own may lie across that border. Thread-safe.</summary>
public sealed class PromptRenderer
{
    private readonly TokenizerSettings _settings;

    public PromptRenderer(ConversationTemplate template, TextCodec codec)
    {
        Template = template;
        _settings = codec.Settings;
        EndTokens = [.. template.Stop.Where(_settings.Added.ContainsKey).Select(stop => _settings.Added[stop])];
        StopTexts = [.. template.Stop.Where(stop => !_settings.Added.ContainsKey(stop))];
    }

    public ConversationTemplate Template { get; }

    /// <summary>The tokens among <see cref="ConversationTemplate.Stop"/>: ids that end an answer beside the model's own.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>The others: texts that end an answer and are no part of it.</summary>
    public IReadOnlyList<string> StopTexts { get; }

    /// <param name="opens">Whether the prompt ends where the model is to go on (serving) or with the last message (training).</param>
    public IReadOnlyList<PromptItem> Render(IReadOnlyList<PromptMessage> messages, bool opens)
    {
        var items = new List<PromptItem>();
        var system = string.Join("\n", messages.Where(message => message.Role == PromptRole.System).Select(message => message.Text)) is { Length: > 0 } given ? given : Template.System;
        if (!Template.SystemInFirstQuestion)
        {
            AddSystem(items, system);
        }

        var questions = 0;
        foreach (var message in messages)
        {
            if (message.Role == PromptRole.User)
            {
                AddTrusted(items, questions > 0 ? Template.TurnBefore : "");
                AddTrusted(items, Template.QuestionBefore);
                AddSystem(items, questions == 0 && Template.SystemInFirstQuestion ? system : "");
                AddQuestion(items, message);
                AddTrusted(items, Template.QuestionAfter);
                questions++;
            }
            else if (message.Role == PromptRole.Assistant)
            {
                AddTrusted(items, Template.AnswerBefore);
                items.Add(new PromptItem.Words(Template.AnswerLead + message.Text, Learned: !opens));
                AddTrusted(items, Template.AnswerAfter, learned: !opens);
            }
        }

        AddTrusted(items, opens ? Template.AnswerBefore : "");
        return items;
    }

    private void AddSystem(List<PromptItem> items, string system)
    {
        if (system.Length > 0)
        {
            AddTrusted(items, Template.SystemBefore);
            items.Add(new PromptItem.Words(system));
            AddTrusted(items, Template.SystemAfter);
        }
    }

    private void AddQuestion(List<PromptItem> items, PromptMessage message)
    {
        if (message.PicturesLast)
        {
            items.Add(new PromptItem.Words(message.Text));
        }

        foreach (var picture in message.Pictures)
        {
            AddTrusted(items, message.PicturesLast ? Template.PictureAfter : "");
            items.Add(new PromptItem.Picture(picture));
            AddTrusted(items, message.PicturesLast ? "" : Template.PictureAfter);
        }

        if (!message.PicturesLast)
        {
            items.Add(new PromptItem.Words(message.Text));
        }
    }

    private void AddTrusted(List<PromptItem> items, string text, bool learned = false)
    {
        foreach (var item in SpecialTokenSplitter.Split(text, _settings))
        {
            items.Add(item switch
            {
                PromptItem.Words words => words with { Learned = learned },
                PromptItem.Special special => special with { Learned = learned },
                _ => item,
            });
        }
    }
}
