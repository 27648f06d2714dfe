"""Find and save vouchers. A code is looked for by its hash: codes themselves are nowhere."""

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session, col, select

from storage.catalogue import stored
from storage.models.accounts import Account
from storage.models.catalogue import Plan
from storage.models.purchase import PurchaseOrder, Voucher
from storage.moments import Micros


class VoucherState(StrEnum):
    """issued → REDEEMED · VOID · EXPIRED."""

    ISSUED = "issued"
    REDEEMED = "redeemed"
    VOID = "void"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherLine:
    """A voucher in a listing: everything but its code."""

    number: int
    plan_slug: str
    state: VoucherState
    redeemed_by: str | None
    """The address of whoever used it."""
    order_id: str | None
    note: str
    created_at: Micros
    expires_at: Micros


def add_voucher(session: Session, voucher: Voucher) -> int:
    """Save a new voucher. Returns its number."""
    session.add(voucher)
    session.flush()
    return stored(voucher.id)


def lock_by_code(session: Session, code_hash: bytes) -> Voucher | None:
    """The voucher of that code, for this unit alone to use."""
    return session.exec(
        select(Voucher)
        .where(Voucher.code_hash == code_hash)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).first()


def lock_voucher(session: Session, number: int) -> Voucher | None:
    """The voucher of that number, for this unit alone to change."""
    return session.exec(
        select(Voucher)
        .where(Voucher.id == number)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).first()


def voucher_state(row: Voucher, now: Micros) -> VoucherState:
    """Where a voucher is."""
    if row.order_id is not None:
        return VoucherState.REDEEMED
    if row.voided_at is not None:
        return VoucherState.VOID
    return VoucherState.EXPIRED if row.expires_at <= now else VoucherState.ISSUED


def all_vouchers(session: Session, now: Micros) -> tuple[VoucherLine, ...]:
    """Every voucher, the newest first."""
    rows = session.exec(
        select(Voucher, Plan.slug, Account.email)
        .join(Plan, col(Plan.id) == col(Voucher.plan_id))
        .join(PurchaseOrder, col(PurchaseOrder.id) == col(Voucher.order_id), isouter=True)
        .join(Account, col(Account.id) == col(PurchaseOrder.account_id), isouter=True)
        .order_by(col(Voucher.id).desc())
    )
    return tuple(
        VoucherLine(
            number=stored(row.id),
            plan_slug=plan_slug,
            state=voucher_state(row, now),
            redeemed_by=email,
            order_id=row.order_id,
            note=row.note,
            created_at=Micros(row.created_at),
            expires_at=Micros(row.expires_at),
        )
        for row, plan_slug, email in rows
    )
