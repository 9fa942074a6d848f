"""`vote trace`: the way of one ballot, from the lines of the log, the ballot log and the database."""
