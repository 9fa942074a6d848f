"""Compares acknowledged marks with the log's entries, over an open connection of the ballot box (R6)."""

from collections.abc import Mapping

import structlog
from redis.asyncio import Connection

from vote.ballotlog import keys
from vote.domain.mark import AcknowledgedMark

logger = structlog.get_logger()


async def compare(open_connection: Connection, installation: str, marks: Mapping[int, AcknowledgedMark]) -> None:
    """Have each shard compare its mark; a shard that lacks the marked ballot stops taking ballots.

    Raises when the log does not answer for every mark: then no ballot may be cast over this connection.
    """
    by_shard = list(marks.items())
    for shard, mark in by_shard:
        names = 2, keys.log(shard), keys.state(shard)
        await open_connection.send_command("FCALL", "vote_compare", *names, installation, *mark)
    for shard, mark in by_shard:
        if (await open_connection.read_response())[1] == "behind":
            logger.error("acknowledged ballots missing", shard=shard, epoch=mark.epoch, acknowledged=mark.position)
