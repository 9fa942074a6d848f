-- The second press of a form, and the one after a lost answer, get the answer of the first.
CREATE TABLE idempotency_keys (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    began_at timestamptz NOT NULL,
    answered_at timestamptz,
    led_to text CHECK (led_to LIKE '/%' AND length(led_to) <= 200),
    object_id bigint,
    CHECK ((answered_at IS NULL) = (led_to IS NULL))
);
COMMENT ON TABLE idempotency_keys IS 'Forms that were sent in the last ten minutes: what a second press of one is answered with. Nothing that was typed.';
COMMENT ON COLUMN idempotency_keys.key_hash IS 'SHA-256 of route, key and fields. The key is random, signed for one browser session, and kept nowhere.';
COMMENT ON COLUMN idempotency_keys.began_at IS 'When the press came in that claimed it.';
COMMENT ON COLUMN idempotency_keys.answered_at IS 'When the change was made, in its own transaction; empty while a password is being checked for it.';
COMMENT ON COLUMN idempotency_keys.led_to IS 'Where the answer led: a path of this site.';
COMMENT ON COLUMN idempotency_keys.object_id IS 'The account or competition it was about.';
CREATE INDEX idempotency_keys_began_at ON idempotency_keys (began_at);
CREATE INDEX revocations_subject ON revocations (subject);

GRANT SELECT, INSERT, DELETE ON idempotency_keys TO vote_web;
GRANT UPDATE (began_at, answered_at, led_to, object_id) ON idempotency_keys TO vote_web;
GRANT SELECT, DELETE ON idempotency_keys TO vote_worker;
GRANT SELECT ON idempotency_keys TO vote_backup;
