using CsCheck;
using LlavaCluster.Abstractions.Chat;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Storage.Tests;

public sealed class LogRecordCodecTests
{
    // Records hold arrays, which compare by reference; equal bytes of the record read back are equal records.
    [Fact]
    public void Decode_OfAnyRecord_GivesTheSameRecord() => Records.Any.Sample(record =>
    {
        var bytes = LogRecordCodec.Encode(record);
        var back = LogRecordCodec.Decode(bytes);
        Assert.Equal(record.GetType(), back.GetType());
        Assert.Equal(bytes, LogRecordCodec.Encode(back));
        Assert.Equal(System.Text.Json.JsonSerializer.Serialize(record, record.GetType()), System.Text.Json.JsonSerializer.Serialize(back, back.GetType()));
    }, iter: 500);

    [Fact]
    public void Decode_OfCutOrDamagedBytes_IsRefusedOrARecord() => Gen.Select(Records.Any, Gen.Int[0, 400], Gen.Byte).Sample((record, at, value) =>
    {
        var bytes = LogRecordCodec.Encode(record);
        at %= bytes.Length;
        Refuses(bytes[..at]);
        bytes[at] = value;
        TryDecode(bytes);
    }, iter: 500);

    [Fact]
    public void Decode_OfANewerVersion_NamesBothVersions()
    {
        var bytes = LogRecordCodec.Encode(new TurnSettled(Guid.NewGuid()));
        bytes[0] = 9;

        Assert.Equal("A log record's version must be 1; was 9.", Assert.Throws<InvalidDataException>(() => LogRecordCodec.Decode(bytes)).Message);
    }

    [Fact]
    public void Decode_OfATextOfNegativeLength_IsRefused()
    {
        var bytes = LogRecordCodec.Encode(new TurnCompleted(Guid.NewGuid(), DateTimeOffset.UnixEpoch, null, new ChatFailure(ChatFailureKind.Internal, "text")));
        var length = bytes.AsSpan().IndexOf("\u0004text"u8);

        Refuses([.. bytes.AsSpan(0, length), 0xff, 0xff, 0xff, 0xff, 0x0f]);
    }

    private static void Refuses(byte[] bytes) => Assert.Throws<InvalidDataException>(() => LogRecordCodec.Decode(bytes));

    private static void TryDecode(byte[] bytes)
    {
        try
        {
            LogRecordCodec.Decode(bytes);
        }
        catch (InvalidDataException)
        {
            // The only way to say no.
        }
    }
}
