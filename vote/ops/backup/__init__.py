"""Backups: made, encrypted, streamed, proved daily by a real restore, and restored.

`folder` knows the files, `encryption` seals and opens them, `manifest` describes a backup, `segments` names WAL files,
`pg_clients` finds PostgreSQL's programs in the server's version. `create` makes a base backup, `stream` receives the WAL,
`archive` seals it. `unpack` and `wal_supply` check everything before a server sees it, `recovery_server` runs one on it,
`verify` compares, `restore` swaps it into place. `scheduler` runs all this when it is due, and `retention` removes old
backups. PostgreSQL's programs copy, receive, check and replay; ours are schedule, encryption, the proof by restore, and the
positions below which the ballot log is trimmed. SQL is in `vote.db`.
"""
