"""What subscribers ask about a receipt: to look at an answer, or to have a charge back.

Each is asked once for a receipt; asking again finds the first. Only the owner of a receipt can
ask, and to everybody else there is no such receipt. The operator answers from the command line:
with a refund (`host.metering.corrections`), which answers a request for one, or with a note.
"""

from typing import Final

from host.catalogue.offering_fields import shown
from host.clock import Clock
from host.errors import InvalidInput, UnknownReceipt
from host.identity.throttle import Throttle
from host.language import N_, _
from host.redaction import redact
from storage import audit
from storage import concerns as kept
from storage.concerns import ConcernLine
from storage.database import Database, Unit
from storage.ids import new_id
from storage.ledger import Receipt, receipt
from storage.models.people import Concern, ConcernKind, ConcernState

TEXT_MAX: Final = 1000
ASKED_MOST: Final = 20
HOUR_S: Final = 60 * 60


class Concerns:
    """Takes down what people ask, and what they are answered."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._asked = Throttle(
            clock,
            most=ASKED_MOST,
            window_s=HOUR_S,
            sentence=N_("That is a lot to ask in an hour."),
        )

    async def ask(
        self, account_id: int, receipt_id: str, kind: ConcernKind, text: str
    ) -> ConcernLine:
        """Ask something about one's own receipt; what was asked first stays.

        Raises:
            UnknownReceipt: it is nobody's, or somebody else's.
            InvalidInput: the text does not follow its rule, or there is no charge to give back.
            RateLimited: too much was asked within an hour.
        """
        found = await self._database.read(lambda s: receipt(s, receipt_id))
        if found is None or found.account_id != account_id:
            raise UnknownReceipt(_("There is no receipt with this number on your account."))
        before = await self.about(receipt_id)
        if kind in before:
            return before[kind]
        text = _checked(text, kind)
        if kind is ConcernKind.REFUND and not refundable(found):
            raise InvalidInput(
                _("Nothing is charged under this receipt, so nothing can come back."),
                says_charge=True,
            )
        self._asked.spend(str(account_id))
        now = self._clock.now()

        def work(unit: Unit) -> ConcernLine:
            hold_id = kept.hold_of_receipt(unit.session, receipt_id)
            assert hold_id is not None, "its receipt was read, and holds are never deleted"
            concern = Concern(
                id=new_id(),
                account_id=account_id,
                hold_id=hold_id,
                kind=kind.value,
                text=text,
                created_at=now,
            )
            if kept.add_concern(unit.session, concern):
                subject = f"receipt:{receipt_id}"
                audit.note(
                    unit.session, f"{kind.value}.asked", subject, at=now, actor_id=account_id
                )
            return kept.concerns_about(unit.session, receipt_id)[kind]

        return await self._database.run(work)

    async def about(self, receipt_id: str) -> dict[ConcernKind, ConcernLine]:
        """What was asked about a receipt, whose reader must be its owner."""
        return await self._database.read(lambda s: kept.concerns_about(s, receipt_id))

    async def list(self, *, with_closed: bool) -> list[ConcernLine]:
        """What the operator has to look at, or everything there ever was."""
        return await self._database.read(lambda s: kept.list_concerns(s, with_closed=with_closed))

    async def close(self, concern_id: str, *, note: str) -> ConcernLine:
        """Answer without a refund; the person who asked reads the note on the receipt.

        Raises:
            InvalidInput: there is no such open concern, or the note is too long.
        """
        if len(note) > TEXT_MAX:
            raise InvalidInput(f"A note has at most {TEXT_MAX} characters.")
        now = self._clock.now()

        def work(unit: Unit) -> ConcernLine:
            closed = ConcernState.CLOSED
            if not kept.close_concern(
                unit.session, concern_id, state=closed, note=note.strip(), now=now
            ):
                raise InvalidInput(f"Nothing open has the number {shown(concern_id)}.")
            line = kept.find_concern(unit.session, concern_id)
            assert line is not None, "it has just been closed"
            subject = f"receipt:{line.receipt_id}"
            audit.note(unit.session, f"{line.kind.value}.closed", subject, at=now)
            return line

        return await self._database.run(work)


def refundable(found: Receipt) -> bool:
    """Whether something was charged that has not all been given back."""
    return found.kept > 0


def _checked(written: str, kind: ConcernKind) -> str:
    """What was written, without anything that has the shape of a key."""
    field = {"field": kind.value}
    text = written.replace("\r\n", "\n").strip()
    if not text:
        raise InvalidInput(_("Say in a few words what is wrong."), facts=field)
    if len(text) > TEXT_MAX:
        raise InvalidInput(
            _(
                "Use at most {most} characters; these are {number}.",
                most=TEXT_MAX,
                number=len(text),
            ),
            facts=field,
        )
    if "\0" in text:
        raise InvalidInput(_("There is a character in it that is no text."), facts=field)
    return redact(text)
