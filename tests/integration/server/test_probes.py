"""Figures of /metrics that are read from the stores when somebody asks for them."""

from vote.db.pool import Database
from vote.server.probes import metrics_text
from vote.services.container import Services


def figures(services: Services) -> dict[str, float]:
    lines = [line for line in metrics_text(services).decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_how_old_the_newest_proved_backup_is_and_when_it_was_proved(services: Services, owner: Database) -> None:
    never = figures(services)
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO backups (label, started_at, verified_at) VALUES"
            " ('old', to_timestamp(100), to_timestamp(900)), ('new', to_timestamp(500), to_timestamp(600)),"
            " ('unproved', to_timestamp(700), NULL)"
        )
    found = figures(services)

    assert (never["vote_backup_verified_timestamp_seconds"], never["vote_restore_drill_timestamp_seconds"]) == (0, 0)
    assert (found["vote_backup_verified_timestamp_seconds"], found["vote_restore_drill_timestamp_seconds"]) == (
        500,
        900,
    )
