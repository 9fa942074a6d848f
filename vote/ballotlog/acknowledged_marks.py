"""Compares what was acknowledged with what the log holds, over an open connection of the ballot box (R6)."""

from collections.abc import Mapping

import structlog
from redis.asyncio import Connection

from vote.ballotlog import keys
from vote.domain.mark import AcknowledgedMark

logger = structlog.get_logger()


async def compare(open_connection: Connection, installation: str, marks: Mapping[int, AcknowledgedMark]) -> None:
    """Have each shard compare the mark that was acknowledged there; one that lacks it takes no ballots from then on.

    Raises when the log does not say so of every mark: then nothing may be cast over this connection.
    """
    asked = list(marks.items())
    for shard, mark in asked:
        names = 2, keys.log(shard), keys.state(shard)
        await open_connection.send_command("FCALL", "vote_compare", *names, installation, *mark)
    for shard, mark in asked:
        if (await open_connection.read_response())[1] == "behind":
            logger.error("set back", shard=shard, epoch=mark.epoch, acknowledged=mark.position)
