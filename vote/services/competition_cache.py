"""Competitions and final tallies as everybody may see them, from the cache or from PostgreSQL.

What is kept is the same for everybody: drafts, archived competitions, figures that are not final, receipt keys and
anything of a person never get here. Who may see what is decided by `domain/policy.py` each time, for who asks now; and
whoever shows figures that are not final reads the rules from PostgreSQL, together with them.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

from pydantic import TypeAdapter

from vote.config import Settings
from vote.db import competition_lists, competitions, gaps, tallies
from vote.db.gaps import GapSummary
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.installation import Installation
from vote.domain.tally import Tally
from vote.services.cache import Cache

PUBLIC_STATES = frozenset(("scheduled", "open", "closing", "closed"))
LISTED = "listed"
NO_KEY = b""  # in place of a receipt key: `receipt_code` refuses it


class Listing(NamedTuple):
    """A page of what anybody may find, newest first, how many votes those have that are final, and what follows after."""

    competitions: tuple[Competition, ...]
    totals: dict[int, int]
    next: int | None


class Final(NamedTuple):
    """A tally that is final, and what it is final over."""

    tally: Tally
    over: GapSummary


_COMPETITION, _LISTING, _FINAL = TypeAdapter(Competition), TypeAdapter(Listing), TypeAdapter(Final)


class CompetitionCache:
    """Reads for one process. Every method raises DatabaseUnavailable when neither cache nor database answer."""

    def __init__(self, cache: Cache, db: Database) -> None:
        self._cache, self._db = cache, db

    def competition(self, competition_id: int) -> Competition | None:
        """The competition, whatever its state. Its receipt key may be missing."""
        copy = self._cache.get(_one(competition_id), partial(self._build_one, competition_id))
        return _read_one(copy) if copy else self._find(competition_id)  # what not everybody may see, each asks anew

    def listing(self, after: int | None = None) -> Listing:
        """A page of the list, without receipt keys. Only the first is kept: few people turn to those after it."""
        if after is not None:
            return self._list(after)
        return _read_listing(self._cache.get(LISTED, self._build_listing) or "")

    def final(self, competition: Competition) -> Final | None:
        """The result of a closed competition; None when it is closed no more."""
        assert competition.state == "closed", "only what is final is the same for everybody"
        name = f"final:{competition.id}:{competition.revision}"
        copy = self._cache.get(name, partial(self._build_final, competition.id))
        return _FINAL.validate_json(copy) if copy else None

    def _find(self, competition_id: int) -> Competition | None:
        with self._db.read() as tx:
            return competitions.find(tx, competition_id)

    def _build_one(self, competition_id: int) -> str | None:
        found = self._find(competition_id)
        is_public = found is not None and found.state in PUBLIC_STATES
        return _text(_COMPETITION.dump_json(_public(found))) if found and is_public else None

    def _build_listing(self) -> str:
        return _text(_LISTING.dump_json(self._list(None)))

    def _list(self, after: int | None) -> Listing:
        with self._db.read() as tx:
            found, following = competition_lists.listed(tx, after=after)
            finals = tallies.read(tx, [one.id for one in found if one.state == "closed"])
        totals = {one.competition: one.total for one in finals.values() if one.state == "closed"}
        return Listing(tuple(_public(one) for one in found), totals, following)

    def _build_final(self, competition_id: int) -> str | None:
        with self._db.read() as tx:
            competition = competitions.find(tx, competition_id)
            tally = tallies.read(tx, [competition_id]).get(competition_id)
            if competition is None or tally is None or not competition.state == tally.state == "closed":
                return None
            return _text(_FINAL.dump_json(Final(tally, gaps.summary_of(tx, competition))))


class CacheInvalidator:
    """Told of every change of competitions after its commit, by `Database`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @classmethod
    def from_settings(cls, settings: Settings, installation: Installation) -> "CacheInvalidator":
        """With a client of its own, for processes that only change things."""
        return cls(Cache(settings.cache_url, installation))

    def __call__(self, changed: Iterable[int]) -> None:
        """These competitions are not what they were. Final results have the revision in their name."""
        self._cache.forget([LISTED, *(_one(competition_id) for competition_id in changed)])

    def close(self) -> None:
        """Let the connections go."""
        self._cache.close()


def _one(competition_id: int) -> str:
    return f"competition:{competition_id}"


def _public(competition: Competition) -> Competition:
    return replace(competition, receipt_key=NO_KEY)


def _text(written: bytes) -> str:
    return written.decode("utf-8")


# The same text is read once; nobody can change what comes of it.
@lru_cache(maxsize=64)
def _read_one(text: str) -> Competition:
    return _COMPETITION.validate_json(text)


@lru_cache(maxsize=1)
def _read_listing(text: str) -> Listing:
    return _LISTING.validate_json(text)
