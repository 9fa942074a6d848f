"""Describes the front door's own calls (voting, probes) for the OpenAPI document. The code is in `casting/` and
`asgi.py`.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field

from vote.web.access import LOGGED_IN, UNASKED, AccessRule
from vote.web.api.models import Input, Output, Sparse
from vote.web.api.operations import Operation


class BallotIn(Input):
    """A choice. Other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    vote: Annotated[str, Field(pattern="^[a-z]$", description="The key of an option: a, b, …")]


class VoteAccepted(Sparse):
    """A stored vote: `accepted` is on disk in the ballot log, `recorded` is committed in the database."""

    status: Literal["accepted", "recorded"]
    competition: int
    receipt: str = Field(pattern="^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$", description="The same on every retry.")
    changed: bool = Field(default=False, description="Present only if an earlier choice was replaced.")


class Health(Output):
    """The process is alive."""

    status: Literal["ok"]


class ReadinessOut(Sparse):
    """The readiness of the service: can it acknowledge a vote? Only METRICS_NETWORKS get the reasons."""

    status: Literal["ready", "not ready"]
    reasons: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class Route(NamedTuple):
    """A call of the front door."""

    method: str
    path: str
    rule: AccessRule
    operation: Operation


ROUTES = (
    Route(
        "post",
        "/vote/<id:competition_id>",
        LOGGED_IN,
        Operation(
            summary="Vote",
            tag="voting",
            body=BallotIn,
            answers={202: VoteAccepted, 200: VoteAccepted},
            problems=(409, 429),
            description=(
                "202: the vote is on disk and will be counted. 200: the same choice was already stored; nothing changed. "
                "403: voting is not open. 409: another choice is stored and cannot be changed. 429: too many votes at once. "
                "503: not confirmed. Send it again; it cannot count twice."
            ),
        ),
    ),
    Route(
        "get",
        "/health",
        UNASKED,
        Operation(summary="Check that the process is alive", tag="service", answers={200: Health}),
    ),
    Route(
        "get",
        "/ready",
        UNASKED,
        Operation(
            summary="Check that a vote could be acknowledged now",
            tag="service",
            answers={200: ReadinessOut, 503: ReadinessOut},
        ),
    ),
    Route(
        "get",
        "/metrics",
        UNASKED,
        Operation(
            summary="Show metrics in the Prometheus text format, for METRICS_NETWORKS",
            tag="service",
            answers={200: None},
            problems=(403,),
        ),
    ),
)
