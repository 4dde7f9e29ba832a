using System.Collections.Immutable;
using LlavaCluster.Abstractions.Identity;
using LlavaCluster.Storage;
using LlavaCluster.Storage.Conversations;

namespace LlavaCluster.Grains.Conversations;

/// <summary>Writes a conversation's records and only then shows them: durable before visible. One append at a time, in the order of the calls.</summary>
internal sealed class TurnJournal(ConversationKey conversation, IConversationLog log, TimeProvider clock) : IDisposable
{
    /// <summary>How long a conversation of a stateless call is kept for a reader that comes back.</summary>
    private static readonly TimeSpan TransientLife = TimeSpan.FromMinutes(10);

    private readonly SemaphoreSlim _turnstile = new(1);
    private long _position;

    public TurnTree Tree { get; private set; } = new();

    /// <exception cref="InvalidDataException">The log cannot be read; the message names the record.</exception>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var records = await log.ReadAsync(conversation, cancellationToken);
        Tree = new TurnTree();
        foreach (var record in records)
        {
            Tree.Apply(record);
        }

        _position = records.Length;
    }

    /// <returns>Null if the records are durable and shown; otherwise nothing has changed.</returns>
    public async Task<StorageFault?> AppendAsync(params ImmutableArray<LogRecord> records)
    {
        await _turnstile.WaitAsync();
        try
        {
            var fault = await log.AppendAsync(conversation, _position, records, ExpiresAt(records), CancellationToken.None);
            if (fault is null)
            {
                _position += records.Length;
                foreach (var record in records)
                {
                    Tree.Apply(record);
                }
            }

            return fault;
        }
        finally
        {
            _turnstile.Release();
        }
    }

    /// <summary>Deletes the conversation; false if there was none.</summary>
    public async Task<bool> DeleteAsync(CancellationToken cancellationToken)
    {
        var existed = await log.DeleteAsync(conversation, cancellationToken);
        (Tree, _position) = (new TurnTree(), 0);
        return existed;
    }

    public void Dispose() => _turnstile.Dispose();

    private DateTimeOffset? ExpiresAt(ImmutableArray<LogRecord> records)
    {
        foreach (var record in records)
        {
            if (record is ConversationCreated or TurnBegun { Request.Transient: false })
            {
                return null;
            }
        }

        return Tree.ExpiresAt(clock.GetUtcNow(), TransientLife);
    }
}
