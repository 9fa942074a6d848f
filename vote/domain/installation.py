"""Whose data it is. An installation is one database and all that was ever made from it, restored copies too."""


class Installation:
    """The id of the installation that a process works for, shared by all its parts.

    `id` is None until somebody has read it from PostgreSQL (`vote.db.installation`). Who needs it before that does without:
    the log takes and gives nothing, the cache keeps nothing, limits are counted in the process.
    """

    __slots__ = ("id",)

    def __init__(self, installation_id: str | None = None) -> None:
        self.id = installation_id
