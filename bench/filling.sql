-- Years of use in one statement after the other: %(votes)s votes of a tenth as many people, in ten competitions of which the
-- newest is open and the others are over. Votes, journal and tallies agree; the links of the journal's chain are made up.
INSERT INTO users (id, username, email, password_hash)
SELECT 2000000000 + n, 'person-' || n, 'person-' || n || '@example.com', %(password)s FROM generate_series(1, %(people)s) n;
UPDATE users SET role = 'admin' WHERE id = %(organiser)s;
INSERT INTO competitions (name, status, receipt_key, rules_version, opened_at, closed_at, forgotten_at, organiser_id)
SELECT 'Over ' || n, 'closed', sha256(n::text::bytea), n, now() - interval '9 days', now() - interval '8 days', now(),
       %(organiser)s
FROM generate_series(1, 9) n;
INSERT INTO options (competition_id, key, label)
SELECT c.id, key, 'Stage ' || key FROM competitions c, unnest('{a,b}'::text[]) key ON CONFLICT DO NOTHING;

CREATE TEMPORARY TABLE places AS SELECT id, (row_number() OVER (ORDER BY id DESC) - 1)::int AS nth FROM competitions;
CREATE TEMPORARY TABLE start AS SELECT min(id) AS id FROM users WHERE username LIKE 'person-%%';
INSERT INTO votes (competition_id, user_id, choice, created_at)
SELECT p.id, s.id + n, CASE WHEN n %% 3 = 0 THEN 'b' ELSE 'a' END, now() - interval '8 days' + n * interval '1 millisecond'
FROM places p, start s, generate_series(0, %(people)s - 1) n;
INSERT INTO ballots (id, competition_id, user_id, choice, cast_at, shard, epoch, position, receipt, seq, digest, chain)
SELECT gen_random_uuid(), competition_id, user_id, choice, created_at, user_id %% 8, 'filled', place.seq,
       upper(substr(md5(competition_id || '/' || user_id), 1, 19)), place.seq,
       sha256(user_id::text::bytea), sha256(user_id::text::bytea)
FROM votes, start, LATERAL (
    SELECT 1 + (competition_id - (SELECT min(id) FROM places)) * ((%(people)s + 7) / 8)::bigint
           + (user_id - start.id) / 8 AS seq) place;
INSERT INTO tallies (competition_id, shard, option_key, votes, version)
SELECT competition_id, user_id %% 8, choice, count(*), count(*) FROM votes GROUP BY 1, 2, 3;
INSERT INTO settings (key, value) VALUES ('shards', '8');
INSERT INTO log_positions (shard, recorded) SELECT n, (SELECT coalesce(max(seq), 0) FROM ballots WHERE shard = n)
FROM generate_series(0, 7) n;

INSERT INTO last_logins (user_id) SELECT s.id + n FROM start s, generate_series(0, %(people)s - 1) n;
INSERT INTO devices (user_id, token_hash, device, session)
SELECT s.id + n, sha256(n::text::bytea), 'Firefox', 's' FROM start s, generate_series(0, %(people)s - 1) n;
INSERT INTO audit_log (actor, action, subject, subject_id, chain)
SELECT 'user:' || s.id + n, 'update', 'users', (s.id + n)::text, sha256(n::text::bytea)
FROM start s, generate_series(0, %(people)s - 1) n;
