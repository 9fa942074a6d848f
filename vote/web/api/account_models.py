"""Models of the accounts API. Input models validate JSON, urlencoded and multipart bodies alike.

The OpenAPI document is generated from them. `validation.py` reads bodies into models; `competition_models.py` has the
models of competitions.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import email_validator
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from vote.auth import TOKEN_HOURS
from vote.domain.folding import password_key, trimmed
from vote.domain.password_strength import weakness
from vote.input_limits import MAILED_TOKEN_MAX_CHARS, PASSWORD_MAX_CHARS
from vote.web.api.me_models import User
from vote.web.api.models import Input, Output

PASSWORD_MIN_CHARS = 8
EMAIL_MAX_CHARS = 254  # RFC 5321 §4.5.3.1.3, as errata 1690 reads it


def _email(value: str) -> str:
    # By syntax only: a school that runs `.local` or `.test` knows its own addresses. This list is the library's documented
    # switch; it is read at each call.
    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    try:
        return email_validator.validate_email(value, check_deliverability=False).normalized
    except email_validator.EmailNotValidError:
        raise ValueError("Enter an email address, for example name@example.org.") from None


def _trimmed(value: object) -> object:
    """Remove blanks and invisible characters at both ends: phone keyboards add them, and no name or address has any."""
    return trimmed(value) if isinstance(value, str) else value


def _hard_to_guess(value: str, *, own: Sequence[str] = ()) -> str:
    if (why := weakness(value, own=own)) is not None:
        raise ValueError(why)
    return value


def _same(value: str, info: ValidationInfo) -> str:
    password = info.data.get("new_password", info.data.get("password"))  # missing if it was refused itself
    if password is not None and password_key(value) != password_key(password):
        raise ValueError("The passwords do not match.")
    return value


Username = Annotated[
    str,
    Field(
        min_length=3,
        max_length=40,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="3 to 40 letters A to Z, digits, dots, hyphens or underscores. Case does not matter.",
    ),
    BeforeValidator(_trimmed),
]
Email = Annotated[
    str,
    Field(max_length=EMAIL_MAX_CHARS, description="Only its syntax is checked.", json_schema_extra={"format": "email"}),
    AfterValidator(_email),
    BeforeValidator(_trimmed),
]
NewPassword = Annotated[
    str,
    Field(
        min_length=PASSWORD_MIN_CHARS,
        max_length=PASSWORD_MAX_CHARS,
        repr=False,
        description="Any characters, never truncated. Common passwords and words from this site are refused.",
        json_schema_extra={"format": "password"},
    ),
    AfterValidator(_hard_to_guess),
]
Password = Annotated[str, Field(repr=False, json_schema_extra={"format": "password"})]
RepeatedPassword = Annotated[Password, AfterValidator(_same)]


class Registration(Input):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword
    confirm_password: RepeatedPassword

    @field_validator("password")
    @classmethod
    def _is_not_the_name(cls, value: str, info: ValidationInfo) -> str:
        return _hard_to_guess(value, own=[info.data.get("username", ""), info.data.get("email", "")])


class Login(Input):
    """Username and password."""

    username: Annotated[str, BeforeValidator(_trimmed)]
    password: Password


class PasswordChange(Input):
    """The current and the new password."""

    current_password: Password
    new_password: NewPassword
    confirm_password: RepeatedPassword
    username: str | None = Field(default=None, description="Ignored. It is here for password managers.")


class EmailChange(Input):
    """The new email address, confirmed with the password."""

    email: Email
    password: Password


class Forgotten(Input):
    """The email address of the account."""

    email: Email


class MailedToken(Input):
    """The token of an emailed link: the part after its #."""

    token: Annotated[str, Field(min_length=1, max_length=MAILED_TOKEN_MAX_CHARS, repr=False), AfterValidator(str.strip)]


class PasswordReset(MailedToken):
    """A new password, with the token of an emailed link."""

    new_password: NewPassword
    confirm_password: RepeatedPassword


class Deletion(Input):
    """The password of the account, to confirm."""

    password: Password


class Token(Output):
    """A token to send as `Authorization: Bearer <token>`."""

    token: str = Field(repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the name of a scheme
    expires_in: Literal[86400] = Field(default=86400, description=f"Seconds: {TOKEN_HOURS} hours.")


class Registered(Token):
    """A new account and its first token."""

    user: User
