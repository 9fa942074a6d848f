"""Encodes a batch of ballots as the bytes that Redis reads (RESP)."""

from collections.abc import Sequence

from vote.ballotlog import keys
from vote.ballotlog.pending_ballot import PendingBallot

BALLOT_ARGUMENTS = 5  # arguments of `vote_cast` per ballot


def packed_cast(shard: int, ballots: Sequence[PendingBallot], *head: str) -> bytes:
    """Return the call of `vote_cast` for ballots of one shard, as RESP. `head`: its arguments before the ballots.

    Every argument is a number, an option key or hexadecimal digits, so one character is one byte. The client library's own
    packing checks the type of each argument, which takes as long as the log takes for the ballot.
    """
    names = [keys.log(shard), keys.state(shard), keys.rules(shard)]
    key_number: dict[int, int] = {}
    packed = []
    for ballot in ballots:
        if ballot.competition not in key_number:
            names.append(keys.voters(shard, ballot.competition))
            key_number[ballot.competition] = len(names)
        index, competition, voter = str(key_number[ballot.competition]), str(ballot.competition), str(ballot.voter)
        packed.append(
            f"${len(index)}\r\n{index}\r\n${len(competition)}\r\n{competition}\r\n${len(voter)}\r\n{voter}\r\n"
            f"${len(ballot.choice)}\r\n{ballot.choice}\r\n${len(ballot.ballot_id)}\r\n{ballot.ballot_id}\r\n"
        )
    arguments = ("FCALL", "vote_cast", str(len(names)), *names, *head)
    count = len(arguments) + BALLOT_ARGUMENTS * len(ballots)
    packed_arguments = (f"${len(argument)}\r\n{argument}\r\n" for argument in arguments)
    return "".join([f"*{count}\r\n", *packed_arguments, *packed]).encode("ascii")
