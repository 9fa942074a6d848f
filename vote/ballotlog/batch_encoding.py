"""A batch of ballots as the bytes that the server reads."""

from collections.abc import Sequence

from vote.ballotlog import keys
from vote.ballotlog.pending_ballot import PendingBallot

BALLOT_ARGUMENTS = 5  # of the function, per ballot


def packed_cast(shard: int, ballots: Sequence[PendingBallot], *head: str) -> bytes:
    """The call of `vote_cast` for ballots of one shard, as RESP. `head`: its arguments before the ballots.

    Everything in it is a number, an option key or hexadecimal digits, so a character is a byte; the client library's
    packing asks each argument for its type, which takes as long as the log takes for the ballot.
    """
    names = [keys.log(shard), keys.state(shard), keys.rules(shard)]
    place: dict[int, int] = {}
    packed = []
    for ballot in ballots:
        if ballot.competition not in place:
            names.append(keys.voters(shard, ballot.competition))
            place[ballot.competition] = len(names)
        index, competition, voter = str(place[ballot.competition]), str(ballot.competition), str(ballot.voter)
        packed.append(
            f"${len(index)}\r\n{index}\r\n${len(competition)}\r\n{competition}\r\n${len(voter)}\r\n{voter}\r\n"
            f"${len(ballot.choice)}\r\n{ballot.choice}\r\n${len(ballot.ballot_id)}\r\n{ballot.ballot_id}\r\n"
        )
    words = ("FCALL", "vote_cast", str(len(names)), *names, *head)
    count = len(words) + BALLOT_ARGUMENTS * len(ballots)
    return "".join([f"*{count}\r\n", *(f"${len(one)}\r\n{one}\r\n" for one in words), *packed]).encode("ascii")
