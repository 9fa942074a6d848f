-- One person, one folding: indexes on the keys of vote/domain/folding.py, the last admin stays, and who leaves an address
-- in the middle of a vote does not vote from it again.

-- The revision has written into the temporary table `folded` the keys of addresses that are not ASCII.
ALTER TABLE users ADD COLUMN email_key text;
COMMENT ON COLUMN users.email_key IS 'The address as it is compared (domain/folding.py): unique.';

-- A column that says the same once more is no news of an account, and would bring the address into the log.
CREATE OR REPLACE FUNCTION audit_row(changed jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key IN ('username', 'email', 'password_hash', 'receipt_key', 'token_hash',
                                                   'device', 'session')
                                           AND value <> 'null'::jsonb
                                      THEN '"(not kept here)"'::jsonb ELSE value END)
    FROM jsonb_each(changed) WHERE key <> 'email_key'
$$;

-- Of accounts whose addresses are one now, the confirmed and then the oldest is found by it; the others log in by name.
ALTER TABLE users DISABLE TRIGGER audit;
UPDATE users u SET email_key = CASE keyed.place WHEN 1 THEN keyed.key ELSE keyed.key || ' of account ' || u.id END
FROM (SELECT id, key, row_number() OVER (PARTITION BY key ORDER BY confirmed_at IS NULL, id) AS place
      FROM (SELECT p.id, p.confirmed_at, coalesce(f.key, lower(p.email COLLATE "C")) AS key
            FROM users p LEFT JOIN folded f ON f.id = p.id WHERE p.email IS NOT NULL) AS each) AS keyed
WHERE keyed.id = u.id;
ALTER TABLE users ENABLE TRIGGER audit;

ALTER TABLE users ADD CONSTRAINT users_email_key_check CHECK ((email IS NULL) = (email_key IS NULL));
DROP INDEX users_username_key;
DROP INDEX users_email_key;
DROP INDEX users_names;
CREATE UNIQUE INDEX users_username_key ON users (lower(username COLLATE "C"));
CREATE UNIQUE INDEX users_email_key ON users (email_key);

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

GRANT UPDATE (email_key) ON users TO vote_web;
GRANT SELECT ON left_addresses TO vote_web, vote_worker, vote_backup;
GRANT UPDATE (user_id), DELETE ON left_addresses TO vote_worker;
