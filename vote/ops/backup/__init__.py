"""Backups: made, encrypted, streamed, proved daily by a real restore, and restored.

`folder` knows the files, `encryption` seals and opens them, `manifest` describes a backup, `segments` parses WAL files,
`pg_clients` finds PostgreSQL's programs in the server's version. `create` makes a base backup, `stream` receives the WAL,
`archive` seals it. `unpack`, `wal_supply` and `wal_end` check everything before a server sees it, `recovery_server` runs one
on it, `verify` compares, `restore` swaps it into place. `scheduler` runs all this when `schedule` says so, and `retention`
removes old backups. SQL is in `vote.db`.
"""
