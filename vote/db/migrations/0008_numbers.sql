-- Numbers that leave the database and are trusted when they come back: never given twice, also not by a database that has
-- lost its newest rows (docs/adr/0036-random-account-numbers.md, docs/adr/0037-database-incarnations.md).

-- 52 random bits: numbers of JSON, JavaScript and Lua hold them exactly. A version 4 UUID is made of strong randomness; its
-- 13th digit is the version, the 17th the variant, and neither is taken.
CREATE FUNCTION random_id() RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT greatest(1, ('x' || substr(digits, 1, 12) || substr(digits, 14, 1))::bit(52)::bigint)
    FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS digits) AS made
$$;

DROP FUNCTION erase_unused(integer, integer);
DROP FUNCTION erase_person(integer);

ALTER TABLE users ALTER id DROP IDENTITY, ALTER id TYPE bigint;
ALTER TABLE users ALTER id SET DEFAULT random_id(), ADD CHECK (id BETWEEN 1 AND 4503599627370495);
ALTER TABLE competitions ALTER id TYPE bigint, ALTER revision TYPE bigint, ALTER organiser_id TYPE bigint,
    ADD CHECK (id BETWEEN 1 AND 4503599627370495);
ALTER TABLE options ALTER competition_id TYPE bigint;
ALTER TABLE votes ALTER competition_id TYPE bigint, ALTER user_id TYPE bigint;
ALTER TABLE tallies ALTER competition_id TYPE bigint;
ALTER TABLE log_markers ALTER competition_id TYPE bigint;
ALTER TABLE unmatched_ballots ALTER competition_id TYPE bigint, ALTER user_id TYPE bigint;
ALTER TABLE erasures ALTER user_id TYPE bigint;
ALTER TABLE last_logins ALTER user_id TYPE bigint;
ALTER TABLE login_locks ALTER user_id TYPE bigint;
ALTER TABLE mail_links ALTER user_id TYPE bigint;
ALTER TABLE decisions ALTER competition_id TYPE bigint, ALTER decided_by TYPE bigint, ALTER gaps TYPE bigint[];

-- What is named by its number in a page, a call or the memory of a worker, and may be gone when that comes back.
ALTER TABLE log_gaps ALTER id DROP IDENTITY, ALTER id TYPE bigint, ALTER decided_by TYPE bigint;
ALTER TABLE log_gaps ALTER id SET DEFAULT random_id();
ALTER TABLE devices ALTER id DROP IDENTITY, ALTER id TYPE bigint, ALTER user_id TYPE bigint;
ALTER TABLE devices ALTER id SET DEFAULT random_id();
ALTER TABLE outbox ALTER id DROP IDENTITY, ALTER user_id TYPE bigint;
ALTER TABLE outbox ALTER id SET DEFAULT random_id();

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
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON reinstatements FOR EACH ROW EXECUTE FUNCTION audit();

ALTER TABLE ballots ALTER competition_id TYPE bigint, ALTER user_id TYPE bigint,
    ADD COLUMN reinstatement_id bigint REFERENCES reinstatements;
CREATE INDEX ballots_reinstatement_id ON ballots (reinstatement_id) WHERE reinstatement_id IS NOT NULL;
COMMENT ON COLUMN ballots.reinstatement_id IS 'Set where it was kept aside as unmatched first: it stands later than its place in the log.';

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

GRANT SELECT ON settings TO vote_reports;
GRANT SELECT, INSERT ON reinstatements TO vote_web;
GRANT SELECT ON reinstatements TO vote_worker, vote_reports, vote_backup;
GRANT UPDATE (done_at, ballots) ON reinstatements TO vote_worker;
GRANT DELETE ON unmatched_ballots TO vote_worker;

-- An empty database notes its incarnation with its first competition, or when its worker starts.
DO $$
BEGIN
    IF EXISTS (SELECT FROM competitions) THEN
        PERFORM note_incarnation();
    END IF;
END
$$;
