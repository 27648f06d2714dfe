"""Knows those again who deleted an account, so that what is once for each person stays once.

Of a deleted account nothing is kept that leads to a person. Beside it, under neither its number
nor a date, stands which free plans somebody had whose address has this *mark*: its HMAC-SHA256
under a key of this host's. A mark cannot be turned into an address, and who has no key cannot try
addresses out either.

The key is drawn when it is first needed and rests sealed in the vault, as builders' keys do. It is
not derived from the master key: sealed anew under another one it is the same, and forgets nobody.
"""

import hmac
import secrets
from hashlib import sha256
from typing import Final

from host.vault.vault import Vault
from storage.accounts import AccountRecord, find_account
from storage.database import Snapshot, Unit
from storage.former import add_former, free_plans_had, plans_of_mark
from storage.models.vault import Secret
from storage.secrets import add_secret_once, find_secret

KEY_ID: Final = "former-people"
"""Under one name, so that two processes that need the first key draw one."""
PURPOSE: Final = "former_people"
KEY_BYTES: Final = 32


class FormerPeople:
    """Marks addresses, and knows them again."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def remember(self, unit: Unit, account: AccountRecord) -> None:
        """Keep which free plans this account had, in the unit that erases its address.

        Raises:
            SecretUnreadable: the key was sealed under another master key.
        """
        plan_ids = free_plans_had(unit.session, account.id)
        if plan_ids:
            key = find_secret(unit.session, KEY_ID) or self._draw_key(unit)
            add_former(unit.session, self._mark(key, account.email), plan_ids)

    def plans_had(self, session: Snapshot, account_id: int) -> frozenset[int]:
        """The free plans that were had under the account's address before it was made.

        Raises:
            SecretUnreadable: the key was sealed under another master key.
        """
        key, account = find_secret(session, KEY_ID), find_account(session, account_id)
        if key is None or account is None:  # nobody was deleted who had any
            return frozenset()
        return plans_of_mark(session, self._mark(key, account.email))

    def _mark(self, key: Secret, email: str) -> bytes:
        return hmac.digest(bytes.fromhex(self._vault.open(key)), email.encode(), sha256)

    def _draw_key(self, unit: Unit) -> Secret:
        drawn = self._vault.seal(PURPOSE, secrets.token_hex(KEY_BYTES), secret_id=KEY_ID)
        return add_secret_once(unit.session, drawn)
