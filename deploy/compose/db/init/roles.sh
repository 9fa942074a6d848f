#!/bin/sh
# In the database's container: a login for each part of vote-app, with the password of its secret, and what backups and the
# replica need of a superuser. It runs when the database is made, and after each migration. Repeating it changes nothing.
set -eu

PGPASSWORD=$(cat /run/secrets/postgres-password)
export PGPASSWORD
psql --no-psqlrc --quiet --tuples-only --set ON_ERROR_STOP=1 --username postgres --dbname vote <<'SQL'
-- Passwords stay out of the server's log, and no commit waits for a stream that may be away.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET synchronous_commit = local;
SET client_min_messages = warning;
\set owner `cat /run/secrets/db-owner-password`
\set web `cat /run/secrets/db-web-password`
\set worker `cat /run/secrets/db-worker-password`
\set reports `cat /run/secrets/db-reports-password`
\set backup `cat /run/secrets/db-backup-password`
\set replica `cat /run/secrets/db-replica-password`

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['vote_owner', 'vote_web', 'vote_worker', 'vote_reports', 'vote_backup', 'vote_replica']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE vote_owner LOGIN CREATEROLE PASSWORD :'owner';
ALTER ROLE vote_web LOGIN PASSWORD :'web';
ALTER ROLE vote_worker LOGIN PASSWORD :'worker';
ALTER ROLE vote_reports LOGIN PASSWORD :'reports';
ALTER ROLE vote_backup LOGIN REPLICATION PASSWORD :'backup';
ALTER ROLE vote_replica LOGIN REPLICATION PASSWORD :'replica';
-- An owner may SET ROLE to the parts; only a superuser can give away a role that may replicate.
GRANT vote_web, vote_worker, vote_reports, vote_backup TO vote_owner;
ALTER DATABASE vote OWNER TO vote_owner;

-- Backups (docs/disaster-recovery.md).
GRANT pg_monitor TO vote_backup;
GRANT ALTER SYSTEM, SET ON PARAMETER synchronous_standby_names TO vote_backup;
SELECT 'GRANT UPDATE (moved_at) ON log_positions TO vote_backup' WHERE to_regclass('log_positions') IS NOT NULL \gexec

-- The replica's place in the WAL.
SELECT 'SELECT pg_create_physical_replication_slot(''vote_replica'', true)'
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'vote_replica') \gexec
\connect postgres
SET synchronous_commit = local;
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO vote_backup;
SQL
