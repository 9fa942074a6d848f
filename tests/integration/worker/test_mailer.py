"""Mail leaves once its cause is committed, by a real mail server, and once; what cannot leave is tried again."""

import hashlib
import re
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest

from tests.certificates import Authority
from tests.figures import figure
from tests.mail_server import MailServer, serving
from vote.config import Settings
from vote.db import mail_links, outbox
from vote.db.pool import Database
from vote.db.users import Account
from vote.worker.mailer import MOST_TRIES, Mailer

MakeUser = Callable[..., Account]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with serving() as one:
        yield one


@pytest.fixture
def postman_of(settings: Settings) -> Iterator[Callable[..., Mailer]]:
    """A postman for a mail server; it is stepped by hand."""
    made: list[Mailer] = []

    def make(url: str | None, **more: object) -> Mailer:
        mail = {"smtp_url": url, "mail_from": "vote@example.org", "public_url": "https://vote.example.org"}
        made.append(Mailer(settings.model_copy(update={**mail, **more})))
        return made[-1]

    yield make
    for one in made:
        one.close()


def put(owner: Database, account: Account, kind: outbox.Kind = "password") -> None:
    with owner.transaction(by="tests") as tx:
        outbox.put(tx, kind, account)


def rows(owner: Database) -> list[tuple[object, ...]]:
    with owner.read() as tx:
        return tx.execute("SELECT outcome, recipient, username, letter, done_at IS NOT NULL FROM outbox").fetchall()


def make_due(owner: Database) -> None:
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE outbox SET due_at = now()")


def test_a_mail_arrives_and_leaves_nothing_behind(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")
    postman = postman_of(server.url)
    put(owner, ada, "reset")

    assert postman.send_next()
    assert not postman.send_next()

    (mail,) = server.mails
    assert (mail["To"], mail["From"], mail["Subject"]) == (ada.email, "vote@example.org", "Reset your password")
    text = mail.get_content().replace("\r\n", "\n")
    link = re.search(r"^https://vote\.example\.org/reset#([\w-]{43})$", text, re.MULTILINE)
    assert link is not None, text
    assert "Hello ada" in text
    assert rows(owner) == [("sent", None, None, None, True)]
    with owner.read() as tx:
        stored = tx.execute("SELECT token_hash, expires_at - now() <= interval '30 minutes' FROM mail_links").fetchall()
        found = mail_links.find(tx, "reset", hashlib.sha256(link[1].encode()).digest())
    assert len(stored) == 1
    assert stored[0][1]
    assert link[1].encode() not in bytes(stored[0][0])
    assert found == (ada.id, ada.email)


def test_two_workers_send_a_mail_once(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    ada = make_user()
    for _ in range(10):
        put(owner, ada)
    postmen = [postman_of(server.url) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda one: sum(one.send_next() for _ in range(12)), postmen))

    assert sum(done) == len(server.mails) == 10


def test_a_server_that_is_away_is_asked_again_later_and_later(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    put(owner, make_user())
    server.replies += [b"451 later", b"421 gone"]
    postman = postman_of(server.url)
    waits = []

    for _ in range(2):
        assert postman.send_next()
        assert not postman.send_next(), "not at once"
        with owner.read() as tx:
            waits.append(tx.execute("SELECT extract(epoch FROM due_at - now())::int FROM outbox").fetchone()[0])  # type: ignore[index]
        make_due(owner)
    assert 3 <= waits[0] <= 5
    assert 8 <= waits[1] <= 10
    assert postman.send_next()

    assert len(server.mails) == 1
    assert rows(owner) == [("sent", None, None, None, True)]


def test_a_mail_that_is_refused_for_good_is_given_up_and_forgotten(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    put(owner, make_user())
    server.replies.append(b"550 no such address <secret@example.com>")
    failed = figure("vote_mail_failed_total")

    assert postman_of(server.url).send_next()

    assert rows(owner) == [("failed: SMTPDataError", None, None, None, True)]
    assert figure("vote_mail_failed_total") == failed + 1


def test_after_many_tries_it_is_given_up(
    postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    put(owner, make_user())
    postman = postman_of("smtp://127.0.0.1:9")  # nobody listens there
    for _ in range(MOST_TRIES):
        assert postman.send_next()
        make_due(owner)

    assert not postman.send_next()
    assert rows(owner) == [("failed: ConnectionRefusedError", None, None, None, True)]


def test_a_worker_that_died_with_a_mail_in_hand_loses_none(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    put(owner, make_user())
    with owner.transaction(by="tests") as tx:
        assert outbox.take(tx) is not None
    postman = postman_of(server.url)
    assert not postman.send_next(), "somebody has it"

    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE outbox SET due_at = due_at - make_interval(secs => %s)", (outbox.LEASE_S,))
    assert postman.send_next()

    assert len(server.mails) == 1


def test_without_a_server_it_is_read_here_in_development_only(
    postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")
    put(owner, ada, "reset")
    put(owner, ada)

    assert postman_of(None, public_url=None).send_next()
    with owner.read() as tx:
        (letter,) = outbox.to_read(tx, limit=9)
    assert "http://127.0.0.1:8080/reset#" in letter.letter
    assert postman_of(None, vote_env="production").send_next()

    assert [row[0] for row in rows(owner)] == ["to be read", "not sent: there is no SMTP_URL"]
    assert rows(owner)[1][1:] == (None, None, None, True)


def test_a_mail_to_nobody_is_none(server: MailServer, postman_of: Callable[..., Mailer], owner: Database) -> None:
    with owner.transaction(by="tests") as tx:
        outbox.put(tx, "reset", None)

    postman = postman_of(server.url)

    assert not postman.send_next()
    postman.discard_unaddressed()

    assert (server.mails, rows(owner)[0][0]) == ([], "nobody has this address")


def test_tls_is_checked(
    postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser, tmp_path: Path
) -> None:
    put(owner, make_user())
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.issue("mail", "127.0.0.1"))
    with serving(context) as server:
        postman_of(f"{server.url}?ca={others.ca}").send_next()
        assert (server.mails, rows(owner)[0][0]) == ([], "failed: SSLCertVerificationError")
        make_due(owner)
        postman_of(f"{server.url}?ca={ours.ca}").send_next()
        assert server.was_encrypted == [True]
    with serving() as plain:
        put(owner, make_user())
        postman_of(f"{plain.url}?ca={ours.ca}").send_next()
        assert plain.mails == [], "a server without TLS gets nothing where TLS is wanted"


def test_no_line_is_too_long_to_be_read(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    ada, postman = make_user(), postman_of(server.url)
    for kind in get_args(outbox.Kind):
        put(owner, ada, kind)
        postman.send_next()

    assert len({mail["Subject"] for mail in server.mails}) == len(get_args(outbox.Kind))
    for mail in server.mails:
        text = mail.get_content()
        assert "{" not in text
        assert all(len(line) <= 78 or line.startswith("https://") for line in text.splitlines())


def test_mail_to_nobody_stands_in_nobodys_way(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    with owner.transaction(by="tests") as tx:
        for _ in range(50):
            outbox.put(tx, "reset", None)
    put(owner, make_user(), "confirm")
    put(owner, make_user(username="ada"), "reset")
    postman = postman_of(server.url)

    assert postman.send_next()
    assert postman.send_next()
    assert not postman.send_next()
    postman.discard_unaddressed()

    assert [mail["Subject"] for mail in server.mails] == ["Reset your password", "Confirm your email address"]
    assert {row[0] for row in rows(owner)} == {"sent", "nobody has this address"}
    assert all(row[-1] for row in rows(owner))


# --- addresses beyond ASCII ----------------------------------------------------------------------------------------------
def addressed(owner: Database, account: Account, email: str) -> None:
    with owner.transaction(by="tests") as tx:
        outbox.put(tx, "password", account, recipient=email)


def test_an_international_domain_goes_out_as_a_labels(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    postman = postman_of(server.url, mail_from="vote@bücher2.example")
    addressed(owner, make_user(), "K.x@bücher2.example")

    assert postman.send_next()

    (mail,) = server.mails
    assert (mail["To"], mail["From"]) == ("K.x@xn--bcher2-3ya.example", "vote@xn--bcher2-3ya.example")
    assert server.recipients == ["K.x@xn--bcher2-3ya.example"]
    assert rows(owner)[0][0] == "sent"


def test_what_no_server_without_smtputf8_takes_is_not_tried_for_half_a_day(
    server: MailServer, postman_of: Callable[..., Mailer], owner: Database, make_user: MakeUser
) -> None:
    addressed(owner, make_user(), "jürgen@example.org")  # registered before such addresses were refused

    assert postman_of(server.url).send_next()

    assert server.mails == []
    assert rows(owner) == [("failed: SMTPNotSupportedError", None, None, None, True)]
