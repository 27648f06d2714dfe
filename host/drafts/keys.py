"""A key that a builder enters: what can be one, and what became of trying it once.

The key goes through here and is kept nowhere; sealing it is `host.drafts.drafts`'s next step.
"""

from dataclasses import dataclass
from typing import Final

from host.drafts.state import KeyCheckResult
from host.errors import InvalidInput
from host.providers.base import Credential, FailureKind, KeyCheck, KeyState, Provider

KEY_MIN: Final = 16
KEY_MAX: Final = 512
SHOWN: Final = 4

_VERDICTS: Final = {
    KeyState.VALID: KeyCheckResult.VALID,
    KeyState.REJECTED: KeyCheckResult.REJECTED,
    KeyState.UNVERIFIED: KeyCheckResult.UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class KeySaved:
    """What became of a key that was entered; `last4` is empty when it was not stored."""

    last4: str
    verdict: KeyCheckResult
    sentence: str


def checked_key(entered: str) -> str:
    """What was entered, if it can be a key.

    Raises:
        InvalidInput: it cannot; what was entered is not repeated.
    """
    key = entered.strip()
    is_plain = key.isascii() and key.isprintable() and " " not in key
    if not is_plain or not KEY_MIN <= len(key) <= KEY_MAX:
        raise InvalidInput(
            f"That cannot be a key: a key has {KEY_MIN} to {KEY_MAX} characters and no spaces, for"
            " example sk-…x9Qd.",
            facts={"field": "key"},
        )
    return key


async def try_key(provider: Provider, credential: Credential, *, model: str) -> KeySaved:
    """Ask the upstream once whether it takes the key; harmless, and free."""
    check = await provider.check_key(credential, model=model)
    verdict = _VERDICTS[check.state]
    if verdict is KeyCheckResult.REJECTED:
        return KeySaved("", verdict, _why_rejected(check))
    return KeySaved(credential.key[-SHOWN:], verdict, check.sentence)


def kept_untried(credential: str) -> KeySaved:
    """What becomes of a service's credential: there is no call that every service takes."""
    sentence = "It is sealed, and sent with each call. Try one before you publish."
    last4 = credential[-SHOWN:] if len(credential) >= KEY_MIN else ""
    return KeySaved(last4, KeyCheckResult.UNTRIED, sentence)


def _why_rejected(check: KeyCheck) -> str:
    if check.kind is FailureKind.UNKNOWN_MODEL:
        return f"{check.sentence} Change the model, then enter the key again."
    return f"{check.sentence} It was not stored; enter another."
