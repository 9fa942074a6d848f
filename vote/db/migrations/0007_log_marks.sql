-- Whose log it is, and how far each of its shards was acknowledged.

-- The id of this installation. Nobody has changed anything yet, so the audit log begins after it; a later change is in it.
ALTER TABLE settings DISABLE TRIGGER audit;
INSERT INTO settings (key, value) VALUES ('installation', replace(gen_random_uuid()::text, '-', ''));
ALTER TABLE settings ENABLE TRIGGER audit;

CREATE TABLE log_marks (
    shard smallint NOT NULL,
    epoch text NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    entry_id text NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, epoch)
);
COMMENT ON TABLE log_marks IS 'The highest position of each epoch that a web process has acknowledged, at most a second late (R6). It only grows.';
COMMENT ON COLUMN log_marks.entry_id IS 'Id of the ballot there: a log that was set back and has grown again holds another one.';

GRANT SELECT, INSERT ON log_marks TO vote_web;
GRANT UPDATE (position, entry_id, marked_at) ON log_marks TO vote_web;
GRANT SELECT ON log_marks TO vote_worker, vote_backup;
