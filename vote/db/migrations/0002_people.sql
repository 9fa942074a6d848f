-- Admins look people up by the beginning of their name, page by page; names are ASCII.
CREATE INDEX users_names ON users ((lower(username) COLLATE "C")) WHERE erased_at IS NULL;

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
