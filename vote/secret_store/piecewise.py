"""A store that keeps each secret apart, made to change several at once by a write-ahead journal.

A change is written down whole under the name of the journal, then name by name, then the journal is emptied. Readers take
what the journal says over the rest, so that a change is seen whole from its first write on, and an interrupted one is
finished by the next `write`.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping

from vote.secret_store import Secret, StoredSecrets, StoreError, changed_meanwhile, texts

JOURNAL = "SECRETS_PENDING"


class PiecewiseStore(ABC):
    """The parts that are alike; subclasses read and write a single secret."""

    title: str

    @abstractmethod
    def read_each(self, names: Collection[str]) -> dict[str, Secret]:
        """Return those of `names` that are stored."""

    @abstractmethod
    def write_one(self, name: str, value: str) -> None:
        """Store a value; an empty one removes the name."""

    def read(self, names: Collection[str]) -> StoredSecrets:
        """Return the stored secrets, with an interrupted change as if it were finished."""
        found, pending = self._read(names)
        for name, value in pending.items():
            if name in names:
                found[name] = found[JOURNAL]._replace(value=value)
        found.pop(JOURNAL, None)
        found = {name: secret for name, secret in found.items() if secret.value}
        return StoredSecrets(found, _revision(found))

    def write(self, changes: Mapping[str, str], seen: StoredSecrets) -> None:
        """Write what an interrupted change left, then these changes. Not safe against a second writer in the same second."""
        names = {*changes, *seen.secrets}
        now = self.read(names)
        if now.revision != seen.revision:
            raise changed_meanwhile(self.title)
        pending = {**self._read(names)[1], **changes}
        self.write_one(JOURNAL, json.dumps(pending))
        for name, value in pending.items():
            self.write_one(name, value)
        self.write_one(JOURNAL, "")

    def _read(self, names: Collection[str]) -> tuple[dict[str, Secret], dict[str, str]]:
        found = self.read_each({*names, JOURNAL})
        if JOURNAL not in found:
            return found, {}
        try:
            return found, texts(json.loads(found[JOURNAL].value), JOURNAL)
        except ValueError:
            raise StoreError(f"{self.title}: {JOURNAL} is not what `vote secrets` wrote", is_final=True) from None


def _revision(found: Mapping[str, Secret]) -> str:
    """Return a digest of names and values; empty when there is nothing."""
    text = json.dumps({name: secret.value for name, secret in sorted(found.items())})
    return hashlib.sha256(text.encode()).hexdigest() if found else ""
