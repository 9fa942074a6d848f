"""The `vote` command, with a module for each subcommand."""
