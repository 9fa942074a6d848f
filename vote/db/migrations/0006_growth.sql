-- Indexes without which work would grow with the number of people, competitions and days (tests/integration/db/test_plans.py).
CREATE INDEX users_admins ON users (id) WHERE role = 'admin';
CREATE INDEX competitions_found ON competitions (id) WHERE status <> 'archived';
CREATE INDEX competitions_remembered ON competitions (id) WHERE forgotten_at IS NULL;
CREATE INDEX competitions_to_retire ON competitions (closed_at) WHERE journal_retired_at IS NULL;
CREATE INDEX audit_log_actor ON audit_log (actor);
CREATE INDEX erasures_asked_at ON erasures (asked_at) WHERE recorded_at IS NULL;

-- What is over is deleted once a minute.
CREATE INDEX revocations_expires_at ON revocations (expires_at);
CREATE INDEX attempts_expires_at ON attempts (expires_at);
CREATE INDEX login_locks_expires_at ON login_locks (expires_at);
CREATE INDEX login_locks_locked_at ON login_locks (locked_at DESC, user_id);
CREATE INDEX devices_last_used_at ON devices (last_used_at);
CREATE INDEX mail_links_expires_at ON mail_links (expires_at);
CREATE INDEX outbox_done_at ON outbox (done_at) WHERE done_at IS NOT NULL;
