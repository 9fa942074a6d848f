-- Add indexes for frequently queried columns
CREATE INDEX idx_votes_competition_id ON votes(competition_id);
CREATE INDEX idx_votes_user_id ON votes(user_id);
CREATE INDEX idx_votes_created_at ON votes(created_at);
CREATE INDEX idx_competitions_status ON competitions(status);

-- Verify indexes are used
EXPLAIN ANALYZE SELECT * FROM votes WHERE competition_id = 1;
