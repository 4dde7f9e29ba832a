namespace LlavaCluster.Storage.Sqlite;

/// <summary>The tables of conversations, tenants, adapters and jobs. Times are UTC ticks. The turn of a lease and of a usage entry is named by the lease's id.</summary>
internal static class Schema
{
    public const int Version = 3;

    /// <summary>What brings a file of version 1 to 2, and so on.</summary>
    public static readonly IReadOnlyList<string> Upgrades =
    [
        "ALTER TABLE conversation DROP COLUMN head;",
        """
        ALTER TABLE tenant ADD COLUMN training_jobs INTEGER;
        ALTER TABLE tenant ADD COLUMN training_seconds_per_day REAL;
        ALTER TABLE tenant ADD COLUMN storage_bytes INTEGER;
        ALTER TABLE tenant ADD COLUMN training_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE tenant ADD COLUMN training_day INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tenant ADD COLUMN training_day_seconds REAL NOT NULL DEFAULT 0;
        """,
    ];

    public const string Text =
        """
        CREATE TABLE IF NOT EXISTS conversation(
            key INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL,
            running INTEGER NOT NULL, expires_at INTEGER,
            UNIQUE(tenant, id));
        CREATE INDEX IF NOT EXISTS conversation_running ON conversation(key) WHERE running > 0;
        CREATE INDEX IF NOT EXISTS conversation_expiry ON conversation(expires_at) WHERE expires_at IS NOT NULL;
        CREATE TABLE IF NOT EXISTS conversation_record(
            conversation INTEGER NOT NULL, position INTEGER NOT NULL, payload BLOB NOT NULL,
            PRIMARY KEY(conversation, position)) WITHOUT ROWID;

        CREATE TABLE IF NOT EXISTS tenant(
            name TEXT PRIMARY KEY, version INTEGER NOT NULL,
            requests_per_minute INTEGER, tokens_per_minute INTEGER, concurrent_turns INTEGER, weight REAL NOT NULL,
            turns INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, image_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
            training_jobs INTEGER, training_seconds_per_day REAL, storage_bytes INTEGER,
            training_seconds REAL NOT NULL DEFAULT 0, training_day INTEGER NOT NULL DEFAULT 0, training_day_seconds REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS tenant_key(
            tenant TEXT NOT NULL, id TEXT NOT NULL, label TEXT NOT NULL, scopes TEXT NOT NULL, hash BLOB NOT NULL, created_at INTEGER NOT NULL,
            PRIMARY KEY(tenant, id)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS tenant_lease(
            tenant TEXT NOT NULL, turn BLOB NOT NULL, tokens INTEGER NOT NULL, begun_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, settled INTEGER NOT NULL,
            PRIMARY KEY(tenant, turn)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS usage_entry(
            tenant TEXT NOT NULL, turn BLOB NOT NULL, at INTEGER NOT NULL,
            prompt_tokens INTEGER NOT NULL, image_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
            PRIMARY KEY(tenant, turn)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS usage_by_time ON usage_entry(tenant, at);
        CREATE TABLE IF NOT EXISTS tenant_job(
            tenant TEXT NOT NULL, job TEXT NOT NULL, report INTEGER NOT NULL, expires_at INTEGER NOT NULL,
            PRIMARY KEY(tenant, job)) WITHOUT ROWID;

        CREATE TABLE IF NOT EXISTS adapters(tenant TEXT PRIMARY KEY, version INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS training_job(
            tenant TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, ended INTEGER NOT NULL, record TEXT NOT NULL,
            PRIMARY KEY(tenant, id));
        CREATE INDEX IF NOT EXISTS training_job_open ON training_job(id) WHERE ended = 0;
        CREATE TABLE IF NOT EXISTS training_event(
            tenant TEXT NOT NULL, job TEXT NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
            PRIMARY KEY(tenant, job, sequence)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS file(
            tenant TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, purpose TEXT NOT NULL, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL,
            PRIMARY KEY(tenant, id)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS erasure(tenant TEXT PRIMARY KEY, version INTEGER NOT NULL, finished INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;

        """;
}
