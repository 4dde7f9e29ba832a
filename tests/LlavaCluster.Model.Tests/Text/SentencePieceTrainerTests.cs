using CsCheck;
using LlavaCluster.Model.Text;

namespace LlavaCluster.Model.Tests.Text;

public sealed class SentencePieceTrainerTests : IDisposable
{
    private static readonly string[] Corpus = ["There is a red apple.", "There are 12 dogs.", "Is there a dog? Yes, there is a dog."];
    private readonly string _file = Path.GetTempFileName();

    [Fact]
    public void Train_GivesWholeWordsForWhatIsFrequentAndSingleDigits()
    {
        var tokenizer = Read(SentencePieceTrainer.Train(Corpus, 330));

        Assert.Equal(306, tokenizer.Count); // every word is whole by then
        var pieces = tokenizer.EncodeToTokens("there is a dog 12", out _).Select(token => token.Value).ToList();
        Assert.Equal(["\u2581there", "\u2581is", "\u2581a", "\u2581dog", "\u2581", "1", "2"], pieces);
    }

    [Fact]
    public void Train_KeepsPunctuationApartFromWords()
    {
        var tokenizer = Read(SentencePieceTrainer.Train(Corpus, 330));

        var pieces = tokenizer.EncodeToTokens("a dog? a dog, a dog.", out _).Select(token => token.Value).ToList();
        Assert.Equal(["\u2581a", "\u2581dog", "?", "\u2581a", "\u2581dog", ",", "\u2581a", "\u2581dog", "."], pieces);
    }

    [Fact]
    public void Train_Twice_GivesTheSameBytes() => Assert.Equal(SentencePieceTrainer.Train(Corpus, 320), SentencePieceTrainer.Train(Corpus.Reverse(), 320));

    [Fact]
    public void Decode_OfWhatWasEncoded_IsTheText()
    {
        var tokenizer = Read(SentencePieceTrainer.Train(Corpus, 320));

        Gen.String.Where(text => !text.Contains('\u2581') && !text.Any(char.IsSurrogate)).Sample(text => tokenizer.Decode(tokenizer.EncodeToIds(text)) == text);
    }

    public void Dispose() => File.Delete(_file);

    private SentencePieceTokenizer Read(byte[] model)
    {
        File.WriteAllBytes(_file, model);
        return SentencePieceTokenizer.Read(_file);
    }
}
