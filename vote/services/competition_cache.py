"""Read competitions and final tallies in their public form, from the cache or from PostgreSQL.

The cache holds only what is the same for everyone: no drafts, archived competitions, figures that are not final, receipt
keys or personal data. `domain/policy.py` decides on each request who may see what; figures that are not final are read from
PostgreSQL together with the rules.
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
from vote.metrics.registry import start_at_zero
from vote.metrics.stores import CACHE
from vote.services.cache import Cache

PUBLIC_STATES = frozenset(("scheduled", "open", "closing", "closed"))
LISTED = "listed"
KINDS = ("competition", LISTED, "final")  # names of entries begin with one of these
NO_KEY = b""  # stands in for a receipt key; `receipt_code` refuses it


class Listing(NamedTuple):
    """A page of the public list, newest first: competitions, total votes of those that are final, and the next page's
    cursor.
    """

    competitions: tuple[Competition, ...]
    totals: dict[int, int]
    next: int | None


class Final(NamedTuple):
    """A final tally and the gaps it is final despite."""

    tally: Tally
    over: GapSummary


_COMPETITION, _LISTING, _FINAL = TypeAdapter(Competition), TypeAdapter(Listing), TypeAdapter(Final)
# Parsed once per text; the results are immutable.
_read_competition = lru_cache(maxsize=64)(_COMPETITION.validate_json)
_read_listing = lru_cache(maxsize=1)(_LISTING.validate_json)


class CompetitionCache:
    """Read-through cache of one process. Every method raises DatabaseUnavailable when neither cache nor database answer."""

    def __init__(self, cache: Cache, db: Database) -> None:
        start_at_zero(CACHE, *((kind, outcome) for kind in KINDS for outcome in ("hit", "miss")))
        self._cache, self._db = cache, db

    def competition(self, competition_id: int) -> Competition | None:
        """Return the competition in any state, or None. Its receipt key may be missing."""
        copy = self._cache.get(_name_of(competition_id), partial(self._build_competition, competition_id))
        return _read_competition(copy) if copy else self._find(competition_id)  # not public, so never cached

    def listing(self, after: int | None = None) -> Listing:
        """Return a page of the list, without receipt keys. Only the first page is cached: few people read on."""
        if after is not None:
            return self._list(after)
        return _read_listing(self._cache.get(LISTED, self._build_listing) or "")

    def final(self, competition: Competition) -> Final | None:
        """Return the result of a closed competition; None when it has been reopened."""
        assert competition.state == "closed", "only final results are public and cacheable"
        name = f"final:{competition.id}:{competition.revision}"
        copy = self._cache.get(name, partial(self._build_final, competition.id))
        return _FINAL.validate_json(copy) if copy else None

    def _find(self, competition_id: int) -> Competition | None:
        with self._db.read() as tx:
            return competitions.find(tx, competition_id)

    def _build_competition(self, competition_id: int) -> str | None:
        competition = self._find(competition_id)
        is_public = competition is not None and competition.state in PUBLIC_STATES
        return _COMPETITION.dump_json(_public(competition)).decode() if competition and is_public else None

    def _build_listing(self) -> str:
        return _LISTING.dump_json(self._list(None)).decode()

    def _list(self, after: int | None) -> Listing:
        with self._db.read() as tx:
            page, next_page = competition_lists.listed(tx, after=after)
            finals = tallies.read(tx, [competition.id for competition in page if competition.state == "closed"])
        totals = {tally.competition: tally.total for tally in finals.values() if tally.state == "closed"}
        return Listing(tuple(_public(competition) for competition in page), totals, next_page)

    def _build_final(self, competition_id: int) -> str | None:
        with self._db.read() as tx:
            competition = competitions.find(tx, competition_id)
            tally = tallies.read(tx, [competition_id]).get(competition_id)
            if competition is None or tally is None or not competition.state == tally.state == "closed":
                return None
            return _FINAL.dump_json(Final(tally, gaps.summary_of(tx, competition))).decode()


class CacheInvalidator:
    """An observer that `Database` calls after each commit that changed competitions."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    @classmethod
    def from_settings(cls, settings: Settings, installation: Installation) -> "CacheInvalidator":
        """Return an invalidator with its own client, for processes that do not read the cache."""
        return cls(Cache(settings.cache_url, installation))

    def __call__(self, changed: Iterable[int]) -> None:
        """Invalidate these competitions and the list. Final results carry the revision in their name and need no
        invalidation.
        """
        self._cache.forget([LISTED, *(_name_of(competition_id) for competition_id in changed)])

    def close(self) -> None:
        """Close the connections."""
        self._cache.close()


def _name_of(competition_id: int) -> str:
    return f"competition:{competition_id}"


def _public(competition: Competition) -> Competition:
    return replace(competition, receipt_key=NO_KEY)
