import os
import tempfile
from pathlib import Path

import pytest

from vote.errors import ConfigError
from vote.ops.account import SystemUser
from vote.ops.embedded import home as homes
from vote.ops.embedded.home import locked, make_room, prepare


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_home_is_private_even_when_its_folder_was_open(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)

    home = prepare(tmp_path / "home")

    assert [mode(path) for path in (home.path, home.secrets, home.logs)] == [0o700] * 3


def test_the_servers_room_lies_in_the_home_when_they_run_as_we_do(tmp_path: Path) -> None:
    room = make_room(prepare(tmp_path / "home"), None)

    assert room.data == tmp_path / "home" / "servers"
    assert (mode(room.data), mode(room.sockets)) == (0o700, 0o700)


def test_another_account_gets_a_room_it_can_reach_and_the_home_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "DATA_OF_ROOT", tmp_path / "var")
    somebody = SystemUser("somebody", os.geteuid(), os.getegid())  # a change of owner to ourselves is always allowed

    one = make_room(prepare(tmp_path / "one"), somebody)
    same = make_room(prepare(tmp_path / "one"), somebody)
    other = make_room(prepare(tmp_path / "other"), somebody)

    assert (tmp_path / "one" / "servers").readlink() == one.data
    assert one.data.parent == tmp_path / "var"
    assert same == one
    assert other.data != one.data
    assert [mode(path) for path in (tmp_path / "var", one.data, one.sockets)] == [0o755, 0o700, 0o700]


def test_a_room_stays_with_the_account_it_was_made_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "DATA_OF_ROOT", tmp_path / "var")
    room = make_room(prepare(tmp_path / "home"), SystemUser("nobody", os.geteuid(), os.getegid()))

    again = make_room(prepare(tmp_path / "home"), SystemUser("postgres", os.geteuid() + 1, os.getegid()))

    assert again.account == room.account
    assert again.account is not None
    assert again.account.uid == os.geteuid()


def test_a_home_that_was_deleted_and_made_again_does_not_meet_the_old_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "DATA_OF_ROOT", tmp_path / "var")
    somebody = SystemUser("somebody", os.geteuid(), os.getegid())
    old = make_room(prepare(tmp_path / "home"), somebody)
    (tmp_path / "home" / "servers").unlink()

    new = make_room(prepare(tmp_path / "home"), somebody)

    assert new.data != old.data


def test_sockets_move_to_a_private_folder_when_the_path_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = prepare(tmp_path / ("x" * 100))
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr("tempfile.tempdir", short)

        room = make_room(home, None)

        assert room.sockets.parent == Path(short) / f"vote-app-{os.geteuid()}"
        assert len(os.fsencode(room.sockets / ".s.PGSQL.5432.lock")) <= 103
        assert (mode(room.sockets.parent), mode(room.sockets)) == (0o700, 0o700)
        room.sockets.parent.chmod(0o755)
        with pytest.raises(ConfigError, match="not private"):
            make_room(home, None)


def test_a_temporary_folder_that_is_too_long_as_well_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ("t" * 100)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("t" * 100)))

    with pytest.raises(ConfigError, match="shorter VOTE_HOME or TMPDIR"):
        make_room(prepare(tmp_path / ("x" * 100)), None)


def test_a_home_that_somebody_else_started_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = prepare(tmp_path / "home")
    make_room(home, None)
    monkeypatch.setattr("os.geteuid", lambda: 12345)

    with pytest.raises(ConfigError, match="start as that user"):
        make_room(home, None)


def test_a_home_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="Not a directory"):
        prepare(tmp_path / "file" / "home")


def test_the_second_holder_of_a_lock_is_told_who_has_it(tmp_path: Path) -> None:
    refused = pytest.raises(ConfigError, match=rf"process {os.getpid()}\) already uses")
    with locked(tmp_path), refused, locked(tmp_path):
        pass

    with locked(tmp_path):
        pass
