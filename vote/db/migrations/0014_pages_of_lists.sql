-- Pages of closed competitions, newest first: of all, and of one organiser (vote/db/competitions.py).
CREATE INDEX competitions_closed ON competitions (id) WHERE status = 'closed';
CREATE INDEX competitions_closed_of_organiser ON competitions (organiser_id, id) WHERE status = 'closed';
