"""Backups that are worth something: made, encrypted, streamed, restored for a try every day, and restored in earnest.

`folder` knows the files, `encryption` seals and opens them, `manifest` says what a backup is, `segments` what WAL files
are, `clients` finds the programs of the server's version. `create` makes a base backup, `stream` keeps the WAL coming and
`archive` seals it; `unpack` and `wal_supply` check everything before a server sees it, `recovery` runs one on it, `verify`
compares and `into_place` swaps. `keep` does it all by itself, when `schedule` says so. SQL is in `vote.db`.
"""
