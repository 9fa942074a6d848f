-- The whole schema as the migrations leave it, for readers. A test proves that both build the same database:
-- change it together with a new migration.

-- Roles are of the cluster, not of the database: another database may have made them already.
DO $$
DECLARE
    name text;
    -- Since PostgreSQL 16 a member may lack the right to SET ROLE; before, every member had it.
    may_set text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH name IN ARRAY ARRAY['vote_web', 'vote_worker', 'vote_reports', 'vote_backup'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        -- Lets the owner SET ROLE where the parts share one URL.
        IF NOT pg_has_role(current_user, name, may_set) THEN
            EXECUTE format('GRANT %I TO %I', name, current_user);
        END IF;
    END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- 52 random bits: numbers of JSON, JavaScript and Lua hold them exactly. A version 4 UUID is made of strong randomness; its
-- 13th digit is the version, the 17th the variant, and neither is taken.
CREATE FUNCTION random_id() RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT greatest(1, ('x' || substr(digits, 1, 12) || substr(digits, 14, 1))::bit(52)::bigint)
    FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS digits) AS made
$$;

CREATE TABLE settings (
    key text PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON TABLE settings IS 'Facts that every part must agree on, such as the number of shards.';
-- The id of this installation. The audit log begins after it.
INSERT INTO settings (key, value) VALUES ('installation', replace(gen_random_uuid()::text, '-', ''));

CREATE TABLE users (
    id bigint DEFAULT random_id() PRIMARY KEY CHECK (id BETWEEN 1 AND 4503599627370495),
    username text,
    email text,
    password_hash text,
    role text NOT NULL DEFAULT 'voter' CHECK (role IN ('voter', 'organiser', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    erased_at timestamptz,
    confirmed_at timestamptz,
    first_password boolean NOT NULL DEFAULT false,
    email_key text,
    CHECK (erased_at IS NOT NULL OR (username IS NOT NULL AND email IS NOT NULL AND password_hash IS NOT NULL)),
    CHECK (erased_at IS NULL OR (username IS NULL AND email IS NULL AND password_hash IS NULL)),
    CONSTRAINT users_email_key_check CHECK ((email IS NULL) = (email_key IS NULL))
);
COMMENT ON TABLE users IS 'People. An erased person keeps the number that the vote carries, and nothing else.';
COMMENT ON COLUMN users.confirmed_at IS 'When somebody showed that mail to this address reaches them.';
COMMENT ON COLUMN users.email_key IS 'The address as it is compared (domain/folding.py): unique.';
COMMENT ON COLUMN users.first_password IS 'Whether the password was made for its owner, who is asked to choose another.';
CREATE UNIQUE INDEX users_username_key ON users (lower(username COLLATE "C"));
CREATE UNIQUE INDEX users_email_key ON users (email_key);
CREATE INDEX users_admins ON users (id) WHERE role = 'admin';

CREATE TABLE competitions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id BETWEEN 1 AND 4503599627370495),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    status text NOT NULL CHECK (status IN ('draft', 'scheduled', 'open', 'closing', 'closed', 'archived')),
    opens_at timestamptz,
    closes_at timestamptz,
    allow_change boolean NOT NULL DEFAULT false,
    results_visibility text NOT NULL DEFAULT 'live'
        CHECK (results_visibility IN ('live', 'after_vote', 'after_close')),
    receipt_key bytea NOT NULL CHECK (octet_length(receipt_key) = 32),
    rules_version bigint NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    state_changes bigint NOT NULL DEFAULT 0,
    organiser_id bigint REFERENCES users,
    created_at timestamptz NOT NULL DEFAULT now(),
    opened_at timestamptz,
    closed_at timestamptz,
    forgotten_at timestamptz,
    journal_retired_at timestamptz,
    reopened_at timestamptz,
    previous_final_at timestamptz,
    held_until timestamptz,
    CHECK (closes_at > opens_at)
);
COMMENT ON COLUMN competitions.rules_version IS 'What the ballot log must know; never used twice (R7).';
COMMENT ON COLUMN competitions.revision IS 'Every change at all: the ETag.';
COMMENT ON COLUMN competitions.state_changes IS 'Its part of the snapshot version, so that a change of state is news too.';
COMMENT ON COLUMN competitions.forgotten_at IS 'When it left the memory of the ballot log; opening it again brings it back.';
COMMENT ON COLUMN competitions.journal_retired_at IS 'When retention had taken who voted what out of its journal.';
COMMENT ON COLUMN competitions.reopened_at IS 'When voting was opened again last, after it had been closed.';
COMMENT ON COLUMN competitions.previous_final_at IS 'When the result became final that the last reopening of a closed competition took back.';
COMMENT ON COLUMN competitions.held_until IS 'The log takes no ballots until it is known whether it has any; the worker ends a hold that is over.';
CREATE INDEX idx_competitions_status ON competitions (status);
CREATE INDEX competitions_organiser_id ON competitions (organiser_id);
CREATE INDEX competitions_found ON competitions (id) WHERE status <> 'archived';
CREATE INDEX competitions_over ON competitions (id) WHERE status IN ('closed', 'archived');
CREATE INDEX competitions_over_of_organiser ON competitions (organiser_id, id) WHERE status IN ('closed', 'archived');
CREATE INDEX competitions_remembered ON competitions (id) WHERE forgotten_at IS NULL;
CREATE INDEX competitions_to_retire ON competitions (closed_at) WHERE journal_retired_at IS NULL;
CREATE INDEX competitions_held ON competitions (held_until) WHERE held_until IS NOT NULL;

CREATE TABLE options (
    competition_id bigint NOT NULL REFERENCES competitions ON DELETE CASCADE,
    key text NOT NULL CHECK (key ~ '^[a-z]$'),
    label text NOT NULL CHECK (length(label) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    PRIMARY KEY (competition_id, key)
);

CREATE TABLE corrections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    competition_id bigint NOT NULL REFERENCES competitions ON DELETE CASCADE,
    corrected_at timestamptz NOT NULL DEFAULT now(),
    corrected_by bigint REFERENCES users,
    field text NOT NULL CHECK (field ~ '^(name|description|option_[a-z])$'),
    before text NOT NULL,
    after text NOT NULL CHECK (after <> before)
);
COMMENT ON TABLE corrections IS 'Words that were corrected while people voted: append-only, shown to everybody.';
CREATE INDEX corrections_competition_id ON corrections (competition_id);
CREATE INDEX corrections_corrected_by ON corrections (corrected_by);

CREATE TABLE votes (
    competition_id bigint NOT NULL REFERENCES competitions,
    user_id bigint NOT NULL REFERENCES users,
    choice text NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz,
    PRIMARY KEY (competition_id, user_id),
    FOREIGN KEY (competition_id, choice) REFERENCES options (competition_id, key)
);
COMMENT ON TABLE votes IS 'What counts. The primary key, not an isolation level, makes one person one vote.';
CREATE INDEX idx_votes_competition_id ON votes (competition_id);
CREATE INDEX idx_votes_user_id ON votes (user_id);
CREATE INDEX idx_votes_created_at ON votes (created_at);

CREATE TABLE reinstatements (
    id bigint DEFAULT random_id() PRIMARY KEY,
    competition_id bigint NOT NULL REFERENCES competitions,
    asked_at timestamptz NOT NULL DEFAULT now(),
    asked_by bigint NOT NULL REFERENCES users,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    done_at timestamptz,
    ballots bigint
);
COMMENT ON TABLE reinstatements IS 'An admin''s word that unmatched ballots of a competition count, now that they match again (R9).';
COMMENT ON COLUMN reinstatements.ballots IS 'How many rows of the journal came of it, once it is done.';
CREATE UNIQUE INDEX reinstatements_pending ON reinstatements (competition_id) WHERE done_at IS NULL;
CREATE INDEX reinstatements_competition_id ON reinstatements (competition_id);

CREATE TABLE ballots (
    id uuid PRIMARY KEY,
    competition_id bigint NOT NULL REFERENCES competitions,
    user_id bigint REFERENCES users,
    choice text,
    cast_at timestamptz NOT NULL,
    shard smallint NOT NULL,
    epoch text NOT NULL,
    position bigint NOT NULL,
    receipt text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    seq bigint NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    chain bytea NOT NULL CHECK (octet_length(chain) = 32),
    retired_at timestamptz,
    reinstatement_id bigint REFERENCES reinstatements,
    CHECK (retired_at IS NOT NULL OR (user_id IS NOT NULL AND choice IS NOT NULL AND receipt IS NOT NULL))
);
COMMENT ON TABLE ballots IS 'The journal: every accepted ballot, append-only. Its key is the ballot''s own random id (R4).';
COMMENT ON COLUMN ballots.seq IS 'Place in the journal of the shard: 1, 2, 3 … without a hole.';
COMMENT ON COLUMN ballots.digest IS 'SHA-256 of the row''s content (domain/chain.py).';
COMMENT ON COLUMN ballots.chain IS 'SHA-256 of the chain before and this digest: one edited, removed or swapped row breaks it.';
COMMENT ON COLUMN ballots.retired_at IS 'When retention took who voted what away; digest and chain stay.';
COMMENT ON COLUMN ballots.reinstatement_id IS 'Set where it was kept aside as unmatched first: it stands later than its place in the log.';
CREATE UNIQUE INDEX ballots_seq ON ballots (shard, seq);
CREATE INDEX ballots_receipt ON ballots (receipt);
CREATE INDEX ballots_reinstatement_id ON ballots (reinstatement_id) WHERE reinstatement_id IS NOT NULL;

CREATE TABLE tallies (
    competition_id bigint NOT NULL,
    shard smallint NOT NULL,
    option_key text NOT NULL,
    votes bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (competition_id, shard, option_key),
    FOREIGN KEY (competition_id, option_key) REFERENCES options (competition_id, key)
);
COMMENT ON TABLE tallies IS 'Counts per option and shard, so that no worker waits for another. A tally is their sum, and so is its version.';

CREATE TABLE log_positions (
    shard smallint PRIMARY KEY,
    epoch text,
    position bigint NOT NULL DEFAULT 0,
    last_entry text,
    recorded bigint NOT NULL DEFAULT 0,
    chain bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000',
    moved_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE log_positions IS 'How far each shard of the ballot log is recorded. Its row is the lock of the shard (R4).';
COMMENT ON COLUMN log_positions.recorded IS 'Ballots the journal took from this shard, counted in the same transactions.';
COMMENT ON COLUMN log_positions.chain IS 'Chain of the newest journal row of this shard.';
COMMENT ON COLUMN log_positions.last_entry IS 'Id of the entry at the position, to notice a lost tail (R6).';

CREATE TABLE position_marks (
    shard smallint NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    epoch text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (shard, marked_at)
);
COMMENT ON TABLE position_marks IS 'Where each shard stood at a time: what is older than the log must keep may be trimmed (R9).';

CREATE TABLE log_gaps (
    id bigint DEFAULT random_id() PRIMARY KEY,
    shard smallint NOT NULL,
    old_epoch text NOT NULL,
    old_position bigint NOT NULL,
    new_epoch text NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by bigint REFERENCES users,
    reason text,
    UNIQUE (shard, old_epoch, new_epoch)
);
COMMENT ON TABLE log_gaps IS 'Breaks between two lives of a shard: what was accepted after the old position may be lost (R5, R6).';

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

CREATE TABLE log_markers (
    competition_id bigint NOT NULL REFERENCES competitions ON DELETE CASCADE,
    shard smallint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (competition_id, shard)
);
COMMENT ON TABLE log_markers IS 'The newest closing marker recorded per shard (R8).';

CREATE TABLE unmatched_ballots (
    id uuid PRIMARY KEY,
    competition_id bigint NOT NULL,
    user_id bigint NOT NULL,
    choice text NOT NULL,
    cast_at timestamptz NOT NULL,
    shard smallint NOT NULL,
    epoch text NOT NULL,
    position bigint NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE unmatched_ballots IS 'Accepted ballots whose voter, competition or option this database does not know (R9): shown, never dropped.';
CREATE INDEX unmatched_ballots_competition_id ON unmatched_ballots (competition_id);

CREATE TABLE rejected_ballots (
    shard smallint NOT NULL,
    epoch text NOT NULL,
    position bigint NOT NULL,
    entry text NOT NULL,
    reason text NOT NULL,
    rejected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, epoch, position)
);
COMMENT ON TABLE rejected_ballots IS 'Log entries that can never be recorded, with the reason. Each one pages somebody.';

CREATE TABLE decisions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    competition_id bigint NOT NULL REFERENCES competitions,
    decided_at timestamptz NOT NULL DEFAULT now(),
    decided_by bigint NOT NULL REFERENCES users,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    gaps bigint[] NOT NULL,
    unmatched bigint NOT NULL
);
COMMENT ON TABLE decisions IS 'An operator''s word that a tally is final over gaps or unmatched ballots, with the reason (R8).';
CREATE INDEX decisions_competition_id ON decisions (competition_id);

CREATE TABLE erasures (
    user_id bigint PRIMARY KEY REFERENCES users,
    asked_at timestamptz NOT NULL DEFAULT now(),
    recorded_at timestamptz
);
COMMENT ON TABLE erasures IS 'People who asked to be erased; done once the entry in the ballot log is recorded (R10).';
CREATE INDEX erasures_asked_at ON erasures (asked_at) WHERE recorded_at IS NULL;

CREATE TABLE last_logins (
    user_id bigint PRIMARY KEY REFERENCES users (id),
    day date NOT NULL DEFAULT current_date
);
COMMENT ON TABLE last_logins IS 'The day somebody last logged in: whom nobody has used for long may be erased.';

CREATE TABLE checkpoints (
    subject text NOT NULL,
    seq bigint NOT NULL,
    chain bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    key_id text NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (subject, seq)
);
COMMENT ON TABLE checkpoints IS 'Signed heads of the chains, `shard:<n>` and `audit`: a chain made anew after a change does not pass them.';

CREATE TABLE revocations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE revocations IS 'Tokens (jti:…), sessions (sid:…) and everything of a person (user:…) that is dead before its time.';
CREATE INDEX revocations_expires_at ON revocations (expires_at);
CREATE INDEX revocations_subject ON revocations (subject);

CREATE TABLE attempts (
    subject bytea NOT NULL CHECK (octet_length(subject) = 16),
    source bytea NOT NULL CHECK (octet_length(source) IN (0, 16)),
    count integer NOT NULL,
    wait_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (subject, source)
);
COMMENT ON TABLE attempts IS 'How often something was tried that is not shown to be right. Keyed hashes: no name and no address is in here.';
COMMENT ON COLUMN attempts.source IS 'The network or device it came from; empty: all networks together.';
CREATE INDEX attempts_expires_at ON attempts (expires_at);

CREATE TABLE login_locks (
    user_id bigint PRIMARY KEY REFERENCES users,
    locked_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE login_locks IS 'Accounts with so many wrong passwords that only known devices are still let try; for admins to see.';
CREATE INDEX login_locks_expires_at ON login_locks (expires_at);
CREATE INDEX login_locks_locked_at ON login_locks (locked_at DESC, user_id);

CREATE TABLE devices (
    id bigint DEFAULT random_id() PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    device text NOT NULL CHECK (length(device) <= 80),
    session text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE devices IS 'Browsers a person has logged in with: what goes wrong there is counted for that browser alone.';
COMMENT ON COLUMN devices.session IS 'The sid of the newest login there, which ends when the device is taken away.';
CREATE INDEX devices_user_id ON devices (user_id);
CREATE INDEX devices_last_used_at ON devices (last_used_at);

CREATE TABLE outbox (
    id bigint DEFAULT random_id() PRIMARY KEY,
    user_id bigint REFERENCES users,
    kind text NOT NULL CHECK (kind IN ('reset', 'confirm', 'address', 'password', 'locked', 'unlocked')),
    recipient text,
    username text,
    written_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT now(),
    tries smallint NOT NULL DEFAULT 0,
    done_at timestamptz,
    outcome text,
    letter text
);
COMMENT ON TABLE outbox IS 'Mail on its way. Once it is sent or given up, only kind, person and outcome are kept.';
COMMENT ON COLUMN outbox.recipient IS 'Null: nobody; such a row is written so that asking for an unknown address is as much work.';
COMMENT ON COLUMN outbox.letter IS 'In development without SMTP_URL only: what would have been sent.';
CREATE INDEX outbox_due_at ON outbox (due_at) WHERE done_at IS NULL;
CREATE INDEX outbox_user_id ON outbox (user_id);
CREATE INDEX outbox_done_at ON outbox (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE mail_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id bigint NOT NULL REFERENCES users,
    purpose text NOT NULL CHECK (purpose IN ('reset', 'confirm')),
    email text NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (user_id, purpose)
);
COMMENT ON TABLE mail_links IS 'Links in mails that were sent: SHA-256 of their token, one of each purpose, gone once it is used.';
CREATE INDEX mail_links_expires_at ON mail_links (expires_at);

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

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    subject_id text NOT NULL,
    before jsonb,
    after jsonb,
    chain bytea NOT NULL CHECK (octet_length(chain) = 32)
);
COMMENT ON TABLE audit_log IS 'Who changed what, append-only; each row is chained to the one before it.';
COMMENT ON COLUMN audit_log.actor IS 'user:<id>, the name of a command or part, or the database role when nobody said.';
CREATE INDEX audit_log_subject ON audit_log (subject, subject_id);
CREATE INDEX audit_log_actor ON audit_log (actor);

-- Addresses that were left while people could vote.
CREATE TABLE left_addresses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    competition_id bigint NOT NULL REFERENCES competitions ON DELETE CASCADE,
    address_hash bytea NOT NULL CHECK (octet_length(address_hash) = 32),
    user_id bigint,
    left_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE left_addresses IS 'Confirmed addresses whose owner left them while voting was open, as keyed hashes; gone when it closes.';
COMMENT ON COLUMN left_addresses.user_id IS 'Who left, until it is certain that they have voted; then null. Who has not is deleted.';
CREATE INDEX left_addresses_address_hash ON left_addresses (competition_id, address_hash);
CREATE INDEX left_addresses_unsettled ON left_addresses (left_at) WHERE user_id IS NOT NULL;

CREATE TABLE backups (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    label text NOT NULL UNIQUE,
    positions jsonb,
    verified_at timestamptz,
    verdict text
);
COMMENT ON TABLE backups IS 'Backups, and what a real restore of each has shown (R9).';

-- Audit. What names or unlocks a person never enters the log: it would outlive an erasure.
CREATE FUNCTION audit_row(changed jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key IN ('username', 'email', 'password_hash', 'receipt_key', 'token_hash',
                                                   'device', 'session')
                                           AND value <> 'null'::jsonb
                                      THEN '"(not kept here)"'::jsonb ELSE value END)
    FROM jsonb_each(changed) WHERE key <> 'email_key'
$$;

CREATE FUNCTION audit_chain(
    previous bytea, at timestamptz, actor text, action text, subject text, subject_id text, before jsonb, after jsonb
) RETURNS bytea
LANGUAGE sql STABLE
AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(
        extract(epoch FROM at), actor, action, subject, subject_id, before, after)::text, 'UTF8'))
$$;

CREATE FUNCTION append_audit(action text, subject text, subject_id text, before jsonb, after jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
DECLARE
    who text := nullif(current_setting('vote.actor', true), '');
BEGIN
    IF who IS NULL THEN
        who := CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END;
    END IF;
    -- One after the other, until this transaction ends: each row is chained to the one before it.
    PERFORM pg_advisory_xact_lock(hashtext('audit_log'));
    INSERT INTO audit_log (at, actor, action, subject, subject_id, before, after, chain)
    SELECT entry.*, audit_chain(
        coalesce((SELECT chain FROM audit_log ORDER BY id DESC LIMIT 1), decode(repeat('00', 32), 'hex')),
        entry.at, entry.actor, entry.action, entry.subject, entry.subject_id, entry.before, entry.after)
    FROM (SELECT clock_timestamp() AS at, who AS actor, append_audit.action, append_audit.subject,
                 append_audit.subject_id, append_audit.before, append_audit.after) AS entry;
END
$$;
REVOKE EXECUTE ON FUNCTION append_audit(text, text, text, jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    whole jsonb := coalesce(new_row, old_row);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- Only what changed: a row tells what was done, not what there was.
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(n.key, n.value) INTO old_row, new_row
        FROM jsonb_each(old_row) o JOIN jsonb_each(new_row) n USING (key) WHERE o.value IS DISTINCT FROM n.value;
        IF new_row IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM append_audit(
        lower(TG_OP), TG_TABLE_NAME::text,
        coalesce(whole ->> 'id', whole ->> 'competition_id' || '/' || (whole ->> 'key'), whole ->> 'key',
                 whole ->> 'user_id'),
        audit_row(old_row), audit_row(new_row));
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION audit() FROM PUBLIC;

CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON competitions FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON options FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON settings FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER UPDATE ON log_gaps FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON decisions FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON reinstatements FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON erasures FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR DELETE ON devices FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR DELETE ON login_locks FOR EACH ROW EXECUTE FUNCTION audit();

-- To log somebody out everywhere is an act on the account, and is kept with the others.
CREATE FUNCTION audit_log_out() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM append_audit('log out', 'users', substr(NEW.subject, length('user:') + 1), NULL, NULL);
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_log_out() FROM PUBLIC;
CREATE TRIGGER audit AFTER INSERT ON revocations FOR EACH ROW WHEN (NEW.subject LIKE 'user:%')
    EXECUTE FUNCTION audit_log_out();

-- R10: a replayed erasure blanks the person again; the worker may change nothing else of people.
CREATE FUNCTION erase_person(person bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
    DELETE FROM devices WHERE user_id = person;
    DELETE FROM login_locks WHERE user_id = person;
    DELETE FROM mail_links WHERE user_id = person;
    DELETE FROM outbox WHERE user_id = person;
    UPDATE users
    SET username = NULL, email = NULL, password_hash = NULL, role = 'voter', confirmed_at = NULL, erased_at = now()
    WHERE id = person AND erased_at IS NULL;
    DELETE FROM last_logins WHERE user_id = person
$$;
REVOKE EXECUTE ON FUNCTION erase_person(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_person(bigint) TO vote_web, vote_worker;

-- Retention of accounts: voters whom nobody has used for so long; admins and whoever runs a competition never.
CREATE FUNCTION erase_unused(keep_days integer, most integer) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    person bigint;
BEGIN
    IF keep_days < 1 THEN
        RAISE EXCEPTION 'accounts are kept for at least a day, not %', keep_days;
    END IF;
    FOR person IN
        SELECT u.id FROM users u
        WHERE u.role = 'voter' AND u.erased_at IS NULL AND u.created_at < now() - make_interval(days => keep_days)
          AND NOT EXISTS (SELECT FROM last_logins l WHERE l.user_id = u.id AND l.day >= current_date - keep_days)
          AND NOT EXISTS (SELECT FROM votes v WHERE v.user_id = u.id
                          AND coalesce(v.changed_at, v.created_at) >= now() - make_interval(days => keep_days))
          AND NOT EXISTS (SELECT FROM competitions c WHERE c.organiser_id = u.id)
        ORDER BY u.id LIMIT most FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM erase_person(person);
        INSERT INTO erasures (user_id) VALUES (person) ON CONFLICT (user_id) DO UPDATE SET asked_at = now();
        PERFORM append_audit('erase unused', 'users', person::text, NULL, jsonb_build_object('kept_days', keep_days));
        RETURN NEXT person;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION erase_unused(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_unused(integer, integer) TO vote_worker;

-- Retention: the worker has no UPDATE on the journal, and this takes only what is old enough, and audits it.
CREATE FUNCTION retire_ballots(keep_days integer, of_shard smallint, after_seq bigint, upto_seq bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    done record;
    retired bigint := 0;
BEGIN
    IF keep_days IS NULL OR keep_days < 1 THEN
        RAISE EXCEPTION 'retire_ballots: ballots are kept for at least a day';
    END IF;
    FOR done IN
        WITH blanked AS (
            UPDATE ballots b SET user_id = NULL, choice = NULL, receipt = NULL, retired_at = now()
            FROM competitions c
            WHERE b.shard = of_shard AND b.seq > after_seq AND b.seq <= upto_seq AND b.retired_at IS NULL
                AND c.id = b.competition_id AND c.status IN ('closed', 'archived')
                AND c.closed_at < now() - make_interval(days => keep_days)
            RETURNING b.competition_id)
        SELECT competition_id, count(*) AS ballots,
               (SELECT coalesce(sum(t.votes), 0) FROM tallies t WHERE t.competition_id = blanked.competition_id) AS votes
        FROM blanked GROUP BY competition_id ORDER BY competition_id
    LOOP
        PERFORM append_audit('retire', 'ballots', done.competition_id::text, NULL, jsonb_build_object(
            'shard', of_shard, 'ballots', done.ballots, 'votes', done.votes, 'kept_days', keep_days));
        retired := retired + done.ballots;
    END LOOP;
    RETURN retired;
END
$$;
REVOKE EXECUTE ON FUNCTION retire_ballots(integer, smallint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retire_ballots(integer, smallint, bigint, bigint) TO vote_worker;

-- Which incarnation of the database this is: another cluster, another timeline (a promoted standby and a finished restore
-- each begin one), or another database of the cluster (a dump that was loaded) is another one.
CREATE FUNCTION database_incarnation() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%s/%s/%s', control.system_identifier,
                  substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8), here.oid)
    FROM pg_control_system() AS control, pg_database AS here WHERE here.datname = current_database()
$$;

-- Numbers of competitions and versions of what people are shown continue above all that a lost database can have given: by
-- the clock (milliseconds and microseconds), and in any case higher than here. Rows of settings are audited.
CREATE FUNCTION begin_incarnation() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    now_us bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    INSERT INTO settings (key, value) VALUES ('incarnation', database_incarnation())
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
    INSERT INTO settings AS s (key, value) VALUES ('versions_from', now_us::text)
    ON CONFLICT (key) DO UPDATE SET value = greatest(now_us, s.value::bigint + 1000000000)::text;
    PERFORM setval('competitions_id_seq', greatest(now_us / 1000, last_value + 1000)) FROM competitions_id_seq;
END
$$;
REVOKE EXECUTE ON FUNCTION begin_incarnation() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION begin_incarnation() TO vote_web;

-- Begins an incarnation where the database finds itself in another one than is noted; true when it did. Where none is noted
-- yet it is the first, unless there are competitions already and a timeline before this one.
CREATE FUNCTION note_incarnation() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    noted text := (SELECT value FROM settings WHERE key = 'incarnation');
BEGIN
    IF noted = database_incarnation() THEN
        RETURN false;
    ELSIF noted IS NULL AND (split_part(database_incarnation(), '/', 2) = '00000001'
                             OR NOT EXISTS (SELECT FROM competitions)) THEN
        INSERT INTO settings (key, value) VALUES ('incarnation', database_incarnation()) ON CONFLICT (key) DO NOTHING;
        RETURN false;
    END IF;
    SELECT value INTO noted FROM settings WHERE key = 'incarnation' FOR UPDATE;
    IF noted = database_incarnation() THEN  -- somebody else was first
        RETURN false;
    END IF;
    PERFORM begin_incarnation();
    RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION note_incarnation() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_incarnation() TO vote_web, vote_worker;
-- For who writes an address without its key: an erasure, and web processes of the version before.
CREATE FUNCTION fill_email_key() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.email IS NULL THEN
        NEW.email_key := NULL;
    ELSIF NEW.email_key IS NULL OR (
        TG_OP = 'UPDATE' AND NEW.email_key = OLD.email_key
        AND lower(NEW.email COLLATE "C") <> lower(OLD.email COLLATE "C")
    ) THEN
        NEW.email_key := lower(NEW.email COLLATE "C");
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER fill_email_key BEFORE INSERT OR UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION fill_email_key();

-- Somebody who can administer always stays, by whatever way the others go. Under the lock that the audit of this change
-- takes next, so that of two who remove each other at the same moment one is refused. A replay (R10) is exempt.
CREATE FUNCTION keep_an_admin() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    IF current_setting('vote.replaying', true) = 'on' THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_log'));
    IF NOT EXISTS (SELECT FROM users
                   WHERE role = 'admin' AND disabled_at IS NULL AND erased_at IS NULL AND id <> OLD.id) THEN
        RAISE EXCEPTION 'no admin would be left' USING ERRCODE = 'check_violation', CONSTRAINT = 'users_last_admin';
    END IF;
    RETURN NEW;
END
$$;
REVOKE EXECUTE ON FUNCTION keep_an_admin() FROM PUBLIC;
CREATE TRIGGER keep_an_admin BEFORE UPDATE ON users FOR EACH ROW
    WHEN (OLD.role = 'admin' AND OLD.disabled_at IS NULL AND OLD.erased_at IS NULL
          AND (NEW.role <> 'admin' OR NEW.disabled_at IS NOT NULL OR NEW.erased_at IS NOT NULL))
    EXECUTE FUNCTION keep_an_admin();

-- HMAC-SHA256 (RFC 2104) for keys of at most 64 bytes.
CREATE FUNCTION hmac_sha256(key bytea, message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
    FOR i IN 0 .. octet_length(key) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
        outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END
$$;

-- Under the competition's receipt key, which never changes. Receipts are of numbers, so no address can pass for one.
CREATE FUNCTION address_hash(receipt_key bytea, email_key text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT hmac_sha256(receipt_key, convert_to('address ' || email_key, 'UTF8'))
$$;

-- Whoever leaves an address that is confirmed, by erasure or for another one. Not yet looked at is whether they have voted:
-- a ballot may be on its way, and tokens live for a moment longer. vote/worker/schedule.py does so.
CREATE FUNCTION leave_address() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO left_addresses (competition_id, address_hash, user_id)
    SELECT c.id, address_hash(c.receipt_key, OLD.email_key), OLD.id FROM competitions c
    WHERE c.status NOT IN ('closed', 'archived');
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION leave_address() FROM PUBLIC;
CREATE TRIGGER leave_address AFTER UPDATE ON users FOR EACH ROW
    WHEN (OLD.confirmed_at IS NOT NULL AND OLD.email_key IS DISTINCT FROM NEW.email_key)
    EXECUTE FUNCTION leave_address();

CREATE FUNCTION forget_left_addresses() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    DELETE FROM left_addresses WHERE competition_id = NEW.id;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION forget_left_addresses() FROM PUBLIC;
CREATE TRIGGER forget_left_addresses AFTER UPDATE OF status ON competitions FOR EACH ROW
    WHEN (NEW.status IN ('closed', 'archived'))
    EXECUTE FUNCTION forget_left_addresses();
-- Nobody deletes votes: only a competition without any can go, with its options and corrections.
CREATE FUNCTION delete_competition(competition bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM FROM competitions WHERE id = competition FOR UPDATE;
    IF EXISTS (SELECT FROM votes WHERE competition_id = competition)
        OR EXISTS (SELECT FROM unmatched_ballots WHERE competition_id = competition) THEN
        RAISE EXCEPTION 'competition % has ballots', competition USING ERRCODE = 'foreign_key_violation';
    END IF;
    DELETE FROM competitions WHERE id = competition;
END
$$;
REVOKE EXECUTE ON FUNCTION delete_competition(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delete_competition(bigint) TO vote_web;

-- Each part has the least it needs. Nobody but the owner may change the journal or the audit log.
GRANT USAGE ON SCHEMA public TO vote_web, vote_worker, vote_reports, vote_backup;

GRANT SELECT ON settings, users, competitions, options, votes, ballots, tallies, log_positions, log_gaps, log_markers,
    unmatched_ballots, rejected_ballots, revocations, audit_log, backups, decisions, erasures TO vote_web;
GRANT INSERT ON users, competitions, options, revocations, decisions, erasures TO vote_web;
GRANT UPDATE (username, email, email_key, password_hash, role, disabled_at, erased_at, confirmed_at, first_password) ON users TO vote_web;
GRANT UPDATE ON competitions TO vote_web;
GRANT SELECT, INSERT ON corrections TO vote_web;
GRANT UPDATE (label) ON options TO vote_web;
GRANT DELETE ON options TO vote_web;
GRANT UPDATE (asked_at) ON erasures TO vote_web;
GRANT SELECT, INSERT ON last_logins TO vote_web;
GRANT UPDATE (day) ON last_logins TO vote_web;
GRANT UPDATE (decided_at, decided_by, reason) ON log_gaps TO vote_web;
GRANT SELECT, INSERT ON log_marks TO vote_web;
GRANT UPDATE (position, entry_id, marked_at) ON log_marks TO vote_web;
GRANT SELECT ON log_marks TO vote_worker;

GRANT SELECT ON settings, competitions, options, tallies, votes, ballots, log_positions, log_gaps, log_markers,
    unmatched_ballots, rejected_ballots, revocations, position_marks, backups, erasures, checkpoints, decisions,
    corrections TO vote_worker;
GRANT SELECT (id, chain) ON audit_log TO vote_worker;
GRANT SELECT (id, erased_at) ON users TO vote_worker;
GRANT INSERT ON settings, votes, ballots, tallies, log_positions, log_gaps, log_markers, unmatched_ballots,
    rejected_ballots, position_marks, erasures, checkpoints TO vote_worker;
GRANT UPDATE ON tallies, log_positions, log_markers TO vote_worker;
GRANT UPDATE (choice, changed_at) ON votes TO vote_worker;
GRANT UPDATE (status, rules_version, revision, state_changes, opens_at, closes_at, opened_at, closed_at, forgotten_at,
    journal_retired_at, reopened_at, previous_final_at, held_until) ON competitions TO vote_worker;
GRANT UPDATE (recorded_at) ON erasures TO vote_worker;
GRANT DELETE ON revocations, position_marks TO vote_worker;

GRANT SELECT ON competitions, options, tallies, votes, ballots, log_positions, log_gaps, unmatched_ballots,
    rejected_ballots, backups, checkpoints, corrections TO vote_reports;
GRANT SELECT (id, role, created_at, disabled_at, erased_at) ON users TO vote_reports;

GRANT SELECT, INSERT ON reinstatements TO vote_web;
GRANT SELECT ON reinstatements TO vote_worker, vote_reports;
GRANT UPDATE (done_at, ballots) ON reinstatements TO vote_worker;
GRANT DELETE ON unmatched_ballots TO vote_worker;

-- Logins and mail.
GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO vote_web;
GRANT SELECT, INSERT, DELETE ON login_locks, devices TO vote_web;
GRANT UPDATE (device, session, last_used_at) ON devices TO vote_web;
GRANT SELECT, INSERT ON outbox TO vote_web;
GRANT SELECT, DELETE ON mail_links TO vote_web;
GRANT SELECT, DELETE ON attempts, login_locks, devices, outbox TO vote_worker;
GRANT UPDATE ON outbox TO vote_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_links TO vote_worker;

GRANT SELECT ON left_addresses TO vote_web, vote_worker;
GRANT UPDATE (user_id), DELETE ON left_addresses TO vote_worker;
-- Second presses of forms.
GRANT SELECT, INSERT, DELETE ON idempotency_keys TO vote_web;
GRANT UPDATE (began_at, answered_at, led_to, object_id) ON idempotency_keys TO vote_web;
GRANT SELECT, DELETE ON idempotency_keys TO vote_worker;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO vote_backup;
GRANT INSERT, UPDATE ON backups TO vote_backup;
GRANT SELECT ON settings TO vote_reports;
