"""Decides when two texts that people write are the same: usernames, email addresses, passwords, option labels.

Each `…_key` returns what is stored, indexed, compared and counted instead of the text; two texts are the same when their
keys are equal. Standard library only. Sources: Unicode UAX #15 (normal forms), UAX #44 (Default_Ignorable_Code_Point),
RFC 8265 (passwords), RFC 5890 and 3492 (A-labels).
"""

import re
import unicodedata

USERNAME = re.compile(r"[A-Za-z0-9_.-]{3,40}", re.ASCII)
NO_USERNAME = ""  # the key of everything that cannot be a username

# Default_Ignorable_Code_Point of DerivedCoreProperties.txt, Unicode 16.0: nothing is drawn for these.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_BLANK = (
    "\u2800\U0001d159"  # BRAILLE PATTERN BLANK and MUSICAL SYMBOL NULL NOTEHEAD: letters to Unicode, white to the eye
)
IGNORABLE = re.compile(f"[{_IGNORABLE}]")
BLANK = re.compile(f"[{_BLANK}]")
_ENDS = re.compile(rf"\A[\s{_IGNORABLE}]+|[\s{_IGNORABLE}]+\Z")
# Embeddings, overrides and isolates: left open, they run on into the sentence around the text (UAX #9, CVE-2021-42574).
BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_DOTS = re.compile("[.\u3002]")  # after NFKC; the full stop and the ideographic one separate labels (UTS #46)


def trimmed(text: str) -> str:
    """Return the text without white space and invisible characters at its ends, which keyboards and clipboards add."""
    return _ENDS.sub("", text)


def text_key(text: str) -> str:
    """Return the key of a text that people read: equal for texts that look the same but for case and white space."""
    visible = IGNORABLE.sub("", unicodedata.normalize("NFKC", BLANK.sub(" ", text)))
    return " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())


def is_visible(text: str) -> bool:
    """Return whether the text has at least one character that is drawn."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text_key(text))


def username_key(name: str) -> str:
    """Return the key of a username (ASCII), NO_USERNAME for what cannot be one. The database's index is on the same key.

    Only ASCII has case here: the Turkish dotted I and the Kelvin sign cannot be part of a username.
    """
    name = trimmed(name)
    return name.lower() if USERNAME.fullmatch(name) else NO_USERNAME


def email_key(address: str) -> str:
    """Return the key of an email address: the local part in lower case and NFC, the domain as A-labels."""
    local, _, domain = unicodedata.normalize("NFC", trimmed(address)).rpartition("@")
    return unicodedata.normalize("NFC", f"{local.lower()}@{to_ascii(domain)}")


def to_ascii(domain: str) -> str:
    """Return the domain as A-labels (RFC 5890): `bücher.example` is `xn--bcher-kva.example`.

    Expects a validated address (`web/api/account_models.py`), so that the labels are valid under IDNA 2008. Python's own
    `idna` codec is not used: it is IDNA 2003, where `straße` is `strasse`, another domain.
    """
    return ".".join(_label_to_ascii(label) for label in _DOTS.split(unicodedata.normalize("NFKC", domain)))


def _label_to_ascii(label: str) -> str:
    label = unicodedata.normalize("NFC", label.lower())
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def mail_address(address: str) -> str:
    """Return the address for a mail server without SMTPUTF8: the local part as it is, the domain as A-labels."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{to_ascii(domain)}"


def needs_smtputf8(address: str) -> bool:
    """Return whether mail to the address needs SMTPUTF8: its local part is not ASCII (RFC 6531 §3.2)."""
    return not address.rpartition("@")[0].isascii()


def password_key(password: str) -> str:
    """Return the password in the form that is hashed and compared: RFC 8265 OpaqueString, spaces as U+0020, then NFC."""
    if password.isascii():
        return password
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    return unicodedata.normalize("NFC", spaced)


def isolated(text: str) -> str:
    """Return the text between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE, for places where no markup can isolate it.

    Removes the characters in it that would end the isolate. ASCII alone runs left to right and stays as it is.
    """
    return text if text.isascii() else f"{_FIRST_STRONG_ISOLATE}{BIDI_CONTROLS.sub('', text)}{_POP_ISOLATE}"
