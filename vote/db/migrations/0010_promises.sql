-- What voters relied on: corrections that everybody sees, reopenings that say so, and the moment in which nobody can vote
-- while it is found out whether anybody has.
ALTER TABLE competitions
    ADD COLUMN reopened_at timestamptz,
    ADD COLUMN previous_final_at timestamptz,
    ADD COLUMN held_until timestamptz;
COMMENT ON COLUMN competitions.reopened_at IS 'When voting was opened again last, after it had been closed.';
COMMENT ON COLUMN competitions.previous_final_at IS 'When the result became final that the last reopening of a closed competition took back.';
COMMENT ON COLUMN competitions.held_until IS 'The log takes no ballots until it is known whether it has any; the worker ends a hold that is over.';
CREATE INDEX competitions_held ON competitions (held_until) WHERE held_until IS NOT NULL;

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

GRANT SELECT, INSERT ON corrections TO vote_web;
GRANT SELECT ON corrections TO vote_worker, vote_reports, vote_backup;
GRANT UPDATE (label) ON options TO vote_web;
GRANT UPDATE (reopened_at, previous_final_at, held_until) ON competitions TO vote_worker;
