"""What was changed, cut, lost or swapped in the files of a backup is refused before any server is started on them."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyrage import x25519

from tests.integration.ops.backed_up import Installation, files, flip, newest, tend_until
from vote import config
from vote.config import Settings
from vote.errors import BackupUnusable, VoteError
from vote.ops.account import server_account
from vote.ops.backup import restore as restoring
from vote.ops.backup import verify as verifying
from vote.ops.backup.folder import Folder
from vote.ops.backup.segments import parse_lsn
from vote.ops.backup.stream import has_reached
from vote.ops.embedded.programs import ServerSource

Tamper = Callable[[Path], object]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _other(backup: Path) -> Path:
    return next(path for path in backup.parent.iterdir() if path.is_dir() and path != backup)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _first_needed(backup: Path) -> Path:
    manifest = verifying.manifests.read_plain(backup)
    number = parse_lsn(manifest.start_lsn) // manifest.segment_bytes
    return next(
        path for path in files(backup.parents[1], "*.gz.age") if path.name.startswith(f"00000001{0:08X}{number:08X}")
    )


def _swap(pair: list[Path]) -> None:
    first, second = pair
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def _on_timeline_2(backup: Path) -> None:
    sealed = newest(files(backup.parents[1], "0000*[0-9A-F].gz.age"))
    shutil.copy(sealed, sealed.with_name(sealed.name.replace("00000001", "00000002", 1)))


def _abandoned(backup: Path) -> None:
    """A second timeline that left the first one before this backup was made."""
    stream = newest(files(backup.parents[1], "*.partial")).parent
    (stream / "00000002.history").write_text("1\t0/1000000\tno recovery target specified\n")


def _damage_unnoted(backup: Path) -> None:
    """Behind what the stream has noted, nothing but PostgreSQL's own checksums tells."""
    partial = newest(files(backup.parents[1], "*.partial"))
    (partial.parent / "flushed.json").unlink()
    content = partial.read_bytes()
    middle = len(content.rstrip(b"\0")) // 2
    partial.write_bytes(content[:middle] + b"\xff" * 64 + content[middle + 64 :])


SMALL: dict[str, Tamper] = {
    "base cut": lambda backup: _cut(backup / "base.tar.gz.age"),
    "base emptied": lambda backup: (backup / "base.tar.gz.age").write_bytes(b""),
    "base lengthened": lambda backup: _lengthen(backup / "base.tar.gz.age"),
    "base lost": lambda backup: (backup / "base.tar.gz.age").unlink(),
    "base of the other backup": lambda backup: shutil.copy(_other(backup) / "base.tar.gz.age", backup),
    "sealed manifest of the other backup": lambda backup: shutil.copy(_other(backup) / "manifest.age", backup),
    "sealed manifest lost": lambda backup: (backup / "manifest.age").unlink(),
    "plain manifest changed": lambda backup: _replace(backup / "manifest.json", '"votes of 1"', '"votes of 2"'),
    "plain manifest is no manifest": lambda backup: (backup / "manifest.json").write_text("{}"),
    "one WAL file lost": lambda backup: files(backup.parents[1], "0000*[0-9A-F].gz.age")[-1].unlink(),
    "first WAL file lost": lambda backup: _first_needed(backup).unlink(),
    "two WAL files swapped": lambda backup: _swap(files(backup.parents[1], "0000*[0-9A-F].gz.age")[-2:]),
    "WAL file cut": lambda backup: _cut(files(backup.parents[1], "0000*[0-9A-F].gz.age")[-1]),
    "unfinished WAL lost": lambda backup: newest(files(backup.parents[1], "*.partial")).unlink(),
    "unfinished WAL cut": lambda backup: _cut(newest(files(backup.parents[1], "*.partial"))),
    "unfinished WAL damaged that is not noted": _damage_unnoted,
    "a timeline without its history": _on_timeline_2,
    "an abandoned timeline": _abandoned,
}


@pytest.fixture(scope="module")
def one(server_source: ServerSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Two backups, with streamed WAL behind them; nothing streams any more."""
    made = Installation(server_source, tmp_path_factory.mktemp("backed-up")).fill()
    made.json("backup", "create")
    stream = made.stream()
    with stream.running():
        made.json_while(stream, "backup", "create")
        made.register("after", 200)
        lsn = made.sql("SELECT pg_current_wal_flush_lsn()")[0][0]
        tend_until(stream, lambda: has_reached(stream.stream, 1, parse_lsn(lsn)))
    yield made
    made.pair.stop()


@pytest.fixture
def copied(one: Installation, tmp_path: Path) -> Settings:
    """The settings for a copy of the backups that the test may spoil."""
    shutil.copytree(one.backups, tmp_path / "backups")
    return config.load(one.environ | {"BACKUP_FOLDER": str(tmp_path / "backups")})


@pytest.fixture
def refused(copied: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Restores, which must be refused before a server is started and leave nothing. Returns the reason."""

    def started(*_arguments: object) -> None:
        raise AssertionError("a server was started on what was tampered with")

    monkeypatch.setattr(restoring, "_recover", started)

    def restore(settings: Settings = copied, **how: int) -> str:
        with pytest.raises(VoteError) as error:
            restoring.restore(
                settings,
                restoring.choose(settings, None, None),
                tmp_path / "data",
                server_account(),
                say=lambda _line: None,
                quiet=True,
                **how,
            )
        assert list(tmp_path.glob("data*")) == []
        return error.value.detail

    return restore


def newest_backup(settings: Settings) -> Path:
    folder = Folder.from_settings(settings)
    return folder.backup(folder.labels()[0])


def test_untouched_backups_would_be_restored(copied: Settings, refused: Callable[..., str]) -> None:
    with pytest.raises(AssertionError, match="a server was started"):
        refused()


@pytest.mark.parametrize("share", [n / 12 for n in range(12)] + [0.9999])
def test_one_flipped_bit_of_the_base_backup(copied: Settings, refused: Callable[..., str], share: float) -> None:
    base = newest_backup(copied) / "base.tar.gz.age"
    flip(base, int(base.stat().st_size * share) + 3)

    assert "damaged" in refused()


@pytest.mark.parametrize("offset", [5, 120, 190, 260, 900])
def test_one_flipped_bit_of_the_manifest(copied: Settings, refused: Callable[..., str], offset: int) -> None:
    flip(newest_backup(copied) / "manifest.age", offset)

    assert "damaged" in refused()


@pytest.mark.parametrize("share", [n / 8 for n in range(8)] + [0.9999])
def test_one_flipped_bit_of_sealed_wal(copied: Settings, refused: Callable[..., str], share: float) -> None:
    sealed = newest(files(Folder.from_settings(copied).path, "0000*[0-9A-F].gz.age"))
    flip(sealed, int(sealed.stat().st_size * share) + 3)

    assert "damaged" in refused()


def test_many_flipped_bits_of_the_wal_that_is_not_sealed_yet(
    one: Installation, copied: Settings, refused: Callable[..., str]
) -> None:
    """Every place that WAL was written to: the server itself would take the damage for the end, and lose the rest."""
    partial = newest(files(Folder.from_settings(copied).path, "*.partial"))
    whole = partial.read_bytes()
    used = len(whole.rstrip(b"\0"))

    for n in range(20):
        flip(partial, used * n // 20)
        assert "WAL" in refused()
        partial.write_bytes(whole)


@pytest.mark.parametrize("name", SMALL)
def test_what_was_cut_lost_or_swapped(copied: Settings, refused: Callable[..., str], name: str) -> None:
    SMALL[name](newest_backup(copied))

    assert refused().endswith((".", "]", ")"))


def test_another_key(one: Installation, copied: Settings, refused: Callable[..., str]) -> None:
    key = str(x25519.Identity.generate())

    reason = refused(copied.model_copy(update={"backup_identity": key}))

    assert "sealed for another key" in reason
    assert key not in reason


@pytest.mark.parametrize("name", ["base cut", "base of the other backup", "one WAL file lost", "WAL file cut"])
def test_verification_is_honest(one: Installation, copied: Settings, name: str) -> None:
    """Exit code 1, the verdict says why, and the time of the last success stays."""
    label = newest_backup(copied).name
    one.sql(
        "UPDATE backups SET verified_at = '2026-01-02 03:04:05Z', verdict = 'verified: then' WHERE label = %s", label
    )
    SMALL[name](newest_backup(copied))

    done = one.run("backup", "verify", label, BACKUP_FOLDER=str(Folder.from_settings(copied).path))

    assert done.returncode == 1
    assert done.stderr.startswith("vote: ")
    verified_at, verdict = one.verdicts()[label]
    assert verified_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert verdict.startswith("failed: ")


def test_a_restored_database_that_differs_is_told(one: Installation, copied: Settings) -> None:
    manifest = verifying.manifests.read_plain(newest_backup(copied))
    changed = manifest.facts | {"votes of 1": (manifest.facts["votes of 1"][0], "0" * 64)}

    with pytest.raises(BackupUnusable, match="differs from the manifest: votes of 1"):
        verifying.compare(changed, manifest.facts)
