"""Pages for admins: accounts, locked accounts, gaps in the ballot log."""
