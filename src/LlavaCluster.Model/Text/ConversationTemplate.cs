namespace LlavaCluster.Model.Text;

/// <summary>
/// How a conversation is written for a model, as data. Names of special tokens in these strings are recognised; in messages they are not.
/// Sources: haotian-liu/LLaVA, llava/conversation.py (all but <see cref="HuggingFace"/>); llava-hf/llava-1.5-7b-hf, chat_template (that one).
/// </summary>
public sealed record ConversationTemplate
{
    private const string Polite = "gives helpful, detailed, and polite answers to the";

    public required string Name { get; init; }

    /// <summary>Spoken first where the conversation brings no system message; empty for none.</summary>
    public string System { get; init; } = "";

    public string SystemBefore { get; init; } = "";

    public string SystemAfter { get; init; } = "";

    /// <summary>Whether the system message stands inside the first question (Llama 2).</summary>
    public bool SystemInFirstQuestion { get; init; }

    public string QuestionBefore { get; init; } = "";

    public string QuestionAfter { get; init; } = "";

    /// <summary>What the model is given to go on from.</summary>
    public string AnswerBefore { get; init; } = "";

    /// <summary>Between it and an answer's text; learned with the answer, since it is part of its first token.</summary>
    public string AnswerLead { get; init; } = "";

    /// <summary>Ends an answer; learned.</summary>
    public string AnswerAfter { get; init; } = "";

    /// <summary>Opens every question after the first.</summary>
    public string TurnBefore { get; init; } = "";

    /// <summary>Follows each picture.</summary>
    public string PictureAfter { get; init; } = "\n";

    /// <summary>Strings that end an answer beside the model's end-of-sequence ids; <see cref="PromptRenderer"/> tells which of them are tokens.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>LLaVA-1.5 as trained and evaluated.</summary>
    public static ConversationTemplate VicunaV1 { get; } = Two("vicuna_v1", $"A chat between a curious user and an artificial intelligence assistant. The assistant {Polite} user's questions.");

    /// <summary>What LLaVA's own command line and worker pick for LLaVA-1.5.</summary>
    public static ConversationTemplate LlavaV1 { get; } = Two("llava_v1", $"A chat between a curious human and an artificial intelligence assistant. The assistant {Polite} human's questions.");

    /// <summary>LLaVA-1.5's turns without a system message; the model this repository ships was trained with it.</summary>
    public static ConversationTemplate Bare { get; } = Two("bare", "");

    /// <summary>The chat template of the Hugging Face conversion: no system message of its own, answers not closed.</summary>
    public static ConversationTemplate HuggingFace { get; } = new()
    {
        Name = "llava_hf", SystemAfter = " ", QuestionBefore = "USER: ", QuestionAfter = " ", AnswerBefore = "ASSISTANT:", AnswerLead = " ", AnswerAfter = " ",
    };

    /// <summary>Mistral-7B-Instruct, LLaVA-1.6.</summary>
    public static ConversationTemplate MistralInstruct { get; } = new()
    {
        Name = "mistral_instruct", SystemBefore = "<<SYS>>\n", SystemAfter = "\n<</SYS>>\n\n", SystemInFirstQuestion = true,
        QuestionBefore = "[INST] ", QuestionAfter = " [/INST]", AnswerLead = " ", AnswerAfter = "</s>",
    };

    /// <summary>Every template, to choose from by name.</summary>
    public static IReadOnlyList<ConversationTemplate> All { get; } =
    [
        VicunaV1, LlavaV1, Bare, HuggingFace, MistralInstruct,
        Single("v0", $"A chat between a curious human and an artificial intelligence assistant. The assistant {Polite} human's questions."),
        Single("llava_v0", $"A chat between a curious human and an artificial intelligence assistant. The assistant {Polite} human's questions."),
        new() { Name = "plain", AnswerAfter = "\n", PictureAfter = "" },
        Llama2("llama_2", """
            You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being safe.  Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal content. Please ensure that your responses are socially unbiased and positive in nature.

            If a question does not make any sense, or is not factually coherent, explain why instead of answering something not correct. If you don't know the answer to a question, please don't share false information.
            """),
        Llama2("llava_llama_2", "You are a helpful language and vision assistant. You are able to understand the visual content that the user provides, and assist the user with a variety of tasks using natural language."),
        ChatMl("mpt", "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers."),
        ChatMl("chatml_direct", "Answer the questions."),
    ];

    /// <summary>The template of that name, or null.</summary>
    public static ConversationTemplate? Find(string name) => All.FirstOrDefault(template => template.Name == name);

    private static ConversationTemplate Two(string name, string system) => new()
    {
        Name = name, System = system, SystemAfter = " ", QuestionBefore = "USER: ", QuestionAfter = " ", AnswerBefore = "ASSISTANT:", AnswerLead = " ", AnswerAfter = "</s>",
    };

    private static ConversationTemplate Single(string name, string system) => new()
    {
        Name = name, System = system, SystemAfter = "###", QuestionBefore = "Human: ", QuestionAfter = "###", AnswerBefore = "Assistant:", AnswerLead = " ", AnswerAfter = "###", Stop = ["###"],
    };

    private static ConversationTemplate Llama2(string name, string system) => MistralInstruct with { Name = name, System = system, AnswerAfter = " </s>", TurnBefore = "<s>" };

    private static ConversationTemplate ChatMl(string name, string system) => new()
    {
        Name = name, System = system, SystemBefore = "<|im_start|>system\n", SystemAfter = "<|im_end|>", QuestionBefore = "<|im_start|>user\n", QuestionAfter = "<|im_end|>",
        AnswerBefore = "<|im_start|>assistant\n", AnswerAfter = "<|im_end|>", Stop = ["<|im_end|>"],
    };
}
