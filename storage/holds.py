"""Find a hold by the key it was opened under.

Opening a hold finds it too, and counts for more (`storage.books`); this is for those who must know
what became of a key without being allowed to open anything.
"""

from sqlmodel import Session, select

from storage.books import HoldConflict, HoldReplayed
from storage.credits import HoldState, MilliCredits
from storage.models.money import Hold, Operation, Wallet


def hold_of_key(
    session: Session, wallet_id: int, operation: Operation, key: str, fingerprint: bytes
) -> HoldReplayed | HoldConflict | None:
    """What the key was used for; None when it never was. Nothing is counted as available."""
    hold = session.exec(
        select(Hold).where(
            Hold.wallet_id == wallet_id,
            Hold.operation == operation.value,
            Hold.idempotency_key == key,
        )
    ).first()
    if hold is None:
        return None
    if hold.fingerprint != fingerprint:
        return HoldConflict(version=session.get_one(Wallet, wallet_id).version)
    assert hold.id is not None, "a row that was read has an id"
    return HoldReplayed(
        hold_id=hold.id,
        public_id=hold.public_id,
        run_id=hold.run_id,
        state=HoldState(hold.state),
        amount=MilliCredits(hold.amount),
        captured=MilliCredits(hold.captured),
        version=hold.opened_version,
        available=MilliCredits(0),
    )
