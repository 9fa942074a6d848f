-- Accounts that nobody uses may be erased: the day of the last login, apart from users, so that it is not audited.
CREATE TABLE last_logins (
    user_id integer PRIMARY KEY REFERENCES users (id),
    day date NOT NULL DEFAULT current_date
);
COMMENT ON TABLE last_logins IS 'The day somebody last logged in: whom nobody has used for long may be erased.';
-- Nobody knows when those who are here have last logged in: for them the time begins now.
INSERT INTO last_logins (user_id) SELECT id FROM users WHERE erased_at IS NULL;

CREATE OR REPLACE FUNCTION erase_person(person integer) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
    UPDATE users
    SET username = NULL, email = NULL, password_hash = NULL, role = 'voter', erased_at = now()
    WHERE id = person AND erased_at IS NULL;
    DELETE FROM last_logins WHERE user_id = person
$$;

CREATE FUNCTION erase_unused(keep_days integer, most integer) RETURNS SETOF integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    person integer;
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

GRANT SELECT, INSERT ON last_logins TO vote_web;
GRANT UPDATE (day) ON last_logins TO vote_web;
GRANT SELECT ON last_logins TO vote_backup;
