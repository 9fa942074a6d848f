-- Pages of what is over, newest first: of all, and of one organiser (vote/db/competitions.py).
CREATE INDEX competitions_over ON competitions (id) WHERE status IN ('closed', 'archived');
CREATE INDEX competitions_over_of_organiser ON competitions (organiser_id, id) WHERE status IN ('closed', 'archived');
