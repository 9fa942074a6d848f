-- What guessing costs, devices people log in from, and mail.
ALTER TABLE users ADD COLUMN confirmed_at timestamptz;
COMMENT ON COLUMN users.confirmed_at IS 'When somebody showed that mail to this address reaches them.';
GRANT UPDATE (confirmed_at) ON users TO vote_web;

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

CREATE TABLE login_locks (
    user_id integer PRIMARY KEY REFERENCES users,
    locked_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE login_locks IS 'Accounts with so many wrong passwords that only known devices are still let try; for admins to see.';

CREATE TABLE devices (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    device text NOT NULL CHECK (length(device) <= 80),
    session text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE devices IS 'Browsers a person has logged in with: what goes wrong there is counted for that browser alone.';
COMMENT ON COLUMN devices.session IS 'The sid of the newest login there, which ends when the device is taken away.';
CREATE INDEX devices_user_id ON devices (user_id);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id integer REFERENCES users,
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

CREATE TABLE mail_links (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id integer NOT NULL REFERENCES users,
    purpose text NOT NULL CHECK (purpose IN ('reset', 'confirm')),
    email text NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (user_id, purpose)
);
COMMENT ON TABLE mail_links IS 'Links in mails that were sent: SHA-256 of their token, one of each purpose, gone once it is used.';

CREATE OR REPLACE FUNCTION audit_row(changed jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key IN ('username', 'email', 'password_hash', 'receipt_key', 'token_hash',
                                                   'device', 'session')
                                           AND value <> 'null'::jsonb
                                      THEN '"(not kept here)"'::jsonb ELSE value END)
    FROM jsonb_each(changed)
$$;

CREATE TRIGGER audit AFTER INSERT OR DELETE ON devices FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit AFTER INSERT OR DELETE ON login_locks FOR EACH ROW EXECUTE FUNCTION audit();

CREATE OR REPLACE FUNCTION erase_person(person integer) RETURNS void
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

GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO vote_web;
GRANT SELECT, INSERT, DELETE ON login_locks, devices TO vote_web;
GRANT UPDATE (device, session, last_used_at) ON devices TO vote_web;
GRANT SELECT, INSERT ON outbox TO vote_web;
GRANT SELECT, DELETE ON mail_links TO vote_web;
GRANT SELECT, DELETE ON attempts, login_locks, devices, outbox TO vote_worker;
GRANT UPDATE ON outbox TO vote_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_links TO vote_worker;
GRANT SELECT ON attempts, login_locks, devices, outbox, mail_links TO vote_backup;
