-- A database after years of use, in a second: as many rows as make the planner choose as it would among millions.
-- Loaded by a superuser: neither triggers nor foreign keys are asked, and only test_plans.py looks.
SET session_replication_role = replica;

INSERT INTO users (id, username, email, email_key, password_hash, role, created_at)
SELECT n, 'user-' || n, 'user-' || n || '@example.com', 'user-' || n || '@example.com', 'x', CASE WHEN n % 5000 = 0 THEN 'admin' ELSE 'voter' END,
       now() - n * interval '10 minutes'
FROM generate_series(1, 30000) n;

INSERT INTO competitions (name, status, receipt_key, rules_version, organiser_id, opened_at, closed_at, forgotten_at,
                          journal_retired_at)
SELECT 'Competition ' || n,
       CASE n % 100 WHEN 0 THEN 'open' WHEN 1 THEN 'scheduled' WHEN 2 THEN 'draft' WHEN 3 THEN 'closed' ELSE 'archived' END,
       decode(repeat('00', 32), 'hex'), n, n, now() - n * interval '1 hour',
       CASE WHEN n % 100 > 2 THEN now() - n * interval '1 hour' END,
       CASE WHEN n % 100 > 2 AND n > 100 THEN now() END, CASE WHEN n % 100 > 2 AND n > 2000 THEN now() END
FROM generate_series(1, 5000) n;
INSERT INTO options (competition_id, key, label)
SELECT n, key, 'An option' FROM generate_series(1, 5000) n, unnest('{a,b}'::text[]) key;
INSERT INTO tallies (competition_id, shard, option_key, votes, version)
SELECT n, shard, key, 5, 5 FROM generate_series(1, 4990) n, generate_series(0, 3) shard, unnest('{a,b}'::text[]) key;

-- Every person has voted in one of a hundred competitions, three hundred people in each.
INSERT INTO votes (competition_id, user_id, choice, created_at)
SELECT 1 + 50 * (n % 100), n, 'a', now() - n * interval '1 second' FROM generate_series(1, 30000) n;
INSERT INTO ballots (id, competition_id, user_id, choice, cast_at, shard, epoch, position, receipt, seq, digest, chain)
SELECT gen_random_uuid(), 1 + 50 * (n % 100), n, 'a', now() - n * interval '1 second', n % 8, 'e', n, 'receipt-' || n, n / 8,
       decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex')
FROM generate_series(1, 30000) n;

INSERT INTO audit_log (actor, action, subject, subject_id, chain)
SELECT 'user:' || n, 'update', (ARRAY['users', 'competitions', 'options'])[1 + n % 3],
       CASE n % 3 WHEN 2 THEN n % 5000 || '/a' ELSE (n % 5000)::text END, decode(repeat('00', 32), 'hex')
FROM generate_series(1, 30000) n;
INSERT INTO checkpoints (subject, seq, chain, made_at, key_id, signature)
SELECT 'shard:' || n % 8, n, decode(repeat('00', 32), 'hex'), now() - n * interval '1 minute', 'k', ''
FROM generate_series(1, 20000) n;

INSERT INTO erasures (user_id, recorded_at) SELECT n, CASE WHEN n > 5 THEN now() END FROM generate_series(1, 20000) n;
INSERT INTO left_addresses (competition_id, address_hash, user_id)
SELECT 100 * (1 + n % 50), sha256(n::text::bytea), CASE WHEN n <= 20 THEN n END FROM generate_series(1, 20000) n;
INSERT INTO last_logins (user_id, day) SELECT n, current_date - n % 300 FROM generate_series(1, 30000) n;
INSERT INTO devices (user_id, token_hash, device, session, last_used_at)
SELECT n, sha256(n::text::bytea), 'Firefox', 's', now() - n % 181 * interval '1 day' FROM generate_series(1, 30000) n;
INSERT INTO revocations (subject, revoked_at, expires_at)
SELECT 'jti:' || n, now(), now() + (n - 100) * interval '3 seconds' FROM generate_series(1, 30000) n;
INSERT INTO attempts (subject, source, count, wait_until, expires_at)
SELECT decode(md5(n::text), 'hex'), '', 1, now(), now() + (n - 100) * interval '3 seconds'
FROM generate_series(1, 20000) n;
INSERT INTO login_locks (user_id, expires_at)
SELECT n, now() + (n - 100) * interval '3 seconds' FROM generate_series(1, 20000) n;
INSERT INTO idempotency_keys (key_hash, began_at, answered_at, led_to, object_id)
SELECT sha256(n::text::bytea), now() - n * interval '0.02 seconds', now(), '/', n FROM generate_series(1, 30000) n;
INSERT INTO mail_links (token_hash, user_id, purpose, email, expires_at)
SELECT sha256(n::text::bytea), n, 'confirm', 'e', now() + (n - 100) * interval '3 seconds'
FROM generate_series(1, 20000) n;
INSERT INTO outbox (user_id, kind, done_at, written_at)
SELECT n, 'locked', CASE WHEN n > 20 THEN now() - n * interval '20 seconds' END, now() - n * interval '20 seconds'
FROM generate_series(1, 20000) n;

ANALYZE;
