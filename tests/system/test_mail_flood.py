"""A stranger who asks for many mails: as many as the limit allows, and nobody else waits for theirs."""

from collections.abc import Callable
from pathlib import Path

from tests import hostile_clients as strangers
from tests.mail_server import serving
from tests.stack import running, wait_until
from vote.db.users import Account


def test_made_up_addresses_do_not_keep_the_mail_of_others(
    environment: dict[str, str], tmp_path: Path, make_user: Callable[..., Account]
) -> None:
    with serving() as mail:
        settings = {"SMTP_URL": mail.url, "MAIL_FROM": "vote@example.org", "PUBLIC_URL": "http://localhost"}
        with running(environment | settings, tmp_path / "mailing") as stack:
            ada = make_user()
            answers = strangers.forgotten(stack.port, addresses=300)
            assert strangers.post(stack.port, "/forgot", {"email": ada.email}).status == 202
            wait_until(lambda: [one["To"] for one in mail.mails] == [ada.email], what="somebody else's mail")
    assert set(answers) == {202, 429}
    assert answers.count(202) <= 150, "120, and what leaks out meanwhile"
