"""The installation: one database and all copies ever restored from it."""


class Installation:
    """Holds the id of the installation that a process works for; all parts of the process share it.

    `id` is None until it has been read from PostgreSQL (`vote.db.installation`). Until then the log takes and gives nothing,
    the cache stores nothing, and limits are counted within the process.
    """

    __slots__ = ("id",)

    def __init__(self, installation_id: str | None = None) -> None:
        self.id = installation_id
