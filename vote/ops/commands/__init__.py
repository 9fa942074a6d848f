"""The `vote` command, one module for each subcommand."""
