"""What can be refused, each with the words that people and programs get to see.

FareboxError
├── MalformedRequest, AmbiguousPath            400
├── InvalidToken, NotSignedIn                  401
├── CreditsExhausted, PlanEnded                402
├── NotInPlan, OfferingPaused,
│   AccountSuspended, NotAllowed
│   └── LinkSpent (host.identity.links)        403
├── UnknownOffering, UnknownEndpoint,
│   UnknownThread, UnknownReceipt,
│   UnknownPlan, UnknownDraft, UnknownOrder,
│   UnknownVoucher, UnknownFile,
│   UnknownAddress                             404
├── MethodNotRegistered                        405
├── RequestTimeout                             408
├── IdempotencyConflict, CallInProgress,
│   DraftChanged, PaymentsOff, AlreadyHad,
│   OrderClosed, VoucherSpent, AccountBusy,
│   AnswerNotLast, PriceChanged                409
├── PayloadTooLarge                            413
├── UnsupportedFile                            415
├── InvalidInput                               422
├── RateLimited, SpendCapReached               429
├── HeadersTooLarge                            431
├── SecretUnreadable (host.vault.envelope)     500
├── WebsocketUnsupported                       501
├── UpstreamFailed                             502
├── LedgerUnavailable, ChargeUndecided,
│   Restarting                                 503
└── UpstreamTimeout                            504

What is not named here is a 500 of ours. No status stands outside this tree and the places that
render it. `detail` stands alone: some clients show nothing else. A refusal charges nothing, but
for `ChargeUndecided`: there it is not known yet.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from host.language import N_, _
from host.writing import amount, credits_written
from storage.credits import MilliCredits, format_credits
from storage.errors import StorageError, UnfitValue


class FareboxError(Exception):
    """Something was refused; the text is fit for the person it concerns, and in their language."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = N_("Something went wrong")
    """In English, to be said by `_` where it is shown."""

    def __init__(
        self,
        reason: str,
        *,
        advice: str = "",
        says_charge: bool = False,
        headers: Mapping[str, str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        detail = f"{reason} {advice}" if advice else reason
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
        """Why, without the advice what to do, for a place that does it or knows better."""
        self.says_charge = says_charge
        """Whether `detail` says itself that nothing was charged, or what was."""
        self.headers = dict(headers or {})
        self.facts = dict(facts or {})


class MalformedRequest(FareboxError):
    """What was sent cannot be read."""

    status, code, title = 400, "malformed_request", N_("Malformed request")


class AmbiguousPath(FareboxError):
    """The path could mean two things to two programs."""

    status, code, title = 400, "ambiguous_path", N_("Ambiguous path")


class InvalidToken(FareboxError):
    """No access token, or none that is good here; the text does not say why."""

    status, code, title = 401, "invalid_token", N_("Access token missing or not valid")


class NotSignedIn(FareboxError):
    """The page or route needs a login session."""

    status, code, title = 401, "not_signed_in", N_("Not signed in")


class CreditsExhausted(FareboxError):
    """The wallet does not cover the most this may cost."""

    status, code, title = 402, "credits_exhausted", N_("Out of credits")

    def __init__(self, *, offering: str, required: int, available: int, topup_url: str) -> None:
        super().__init__(
            _(
                "You have {left} left for {offering}; this needs {required}.",
                left=credits_written(available),
                offering=offering,
                required=amount(required),
            ),
            advice=_("Top up at {address} and try again.", address=topup_url),
            headers={"Link": f'<{topup_url}>; rel="payment"'},
            facts={
                "balance": credits_number(available),
                "required": credits_number(required),
                "topup_url": topup_url,
            },
        )
        self.required, self.available, self.topup_url = required, available, topup_url


class PlanEnded(FareboxError):
    """There was a plan that covered this; it is over."""

    status, code, title = 402, "plan_ended", N_("Plan ended")


class NotInPlan(FareboxError):
    """No plan of this subscriber ever covered the offering."""

    status, code, title = 403, "not_in_plan", N_("Not in your plan")


class OfferingPaused(FareboxError):
    """The builder has paused the offering, or withdrawn it."""

    status, code, title = 403, "offering_paused", N_("Paused")


class AccountSuspended(FareboxError):
    """The operator has suspended the account; its balance stays."""

    status, code, title = 403, "account_suspended", N_("Account suspended")


class NotAllowed(FareboxError):
    """The account lacks the role, or the thing is somebody else's."""

    status, code, title = 403, "not_allowed", N_("Not allowed")


class UnknownOffering(FareboxError):
    """There is no published offering of that name."""

    status, code, title = 404, "unknown_offering", N_("Unknown offering")


class UnknownEndpoint(FareboxError):
    """The path is not on the offering's list; the answer reveals nothing else."""

    status, code, title = 404, "unknown_endpoint", N_("Unknown endpoint")


class UnknownThread(FareboxError):
    """There is no such conversation, or it is somebody else's."""

    status, code, title = 404, "unknown_thread", N_("Unknown conversation")


class UnknownReceipt(FareboxError):
    """There is no such receipt, or it is somebody else's."""

    status, code, title = 404, "unknown_receipt", N_("Unknown receipt")


class UnknownPlan(FareboxError):
    """There is no plan of that name."""

    status, code, title = 404, "unknown_plan", N_("Unknown plan")


class UnknownDraft(FareboxError):
    """There is no such draft, or it is somebody else's, or no longer open."""

    status, code, title = 404, "unknown_draft", N_("Unknown draft")


class UnknownOrder(FareboxError):
    """There is no such order, or it is somebody else's."""

    status, code, title = 404, "unknown_order", N_("Unknown order")


class UnknownVoucher(FareboxError):
    """No voucher has that code."""

    status, code, title = 404, "unknown_voucher", N_("Unknown voucher")


class UnknownFile(FareboxError):
    """There is no such file, or it is somebody else's."""

    status, code, title = 404, "unknown_file", N_("Unknown file")


class UnknownAddress(FareboxError):
    """There is nothing under this address of ours."""

    status, code, title = 404, "not_found", N_("Not found")


class MethodNotRegistered(FareboxError):
    """The path is known, the method is not."""

    status, code, title = 405, "method_not_registered", N_("Method not registered")


class RequestTimeout(FareboxError):
    """What the caller was sending came too slowly."""

    status, code, title = 408, "request_timeout", N_("Request took too long")


class IdempotencyConflict(FareboxError):
    """The key has been used for something else."""

    status, code, title = 409, "idempotency_conflict", N_("Idempotency key already used")


class CallInProgress(FareboxError):
    """The same call, or another in the same conversation, is still running."""

    status, code, title = 409, "call_in_progress", N_("Still in progress")


class DraftChanged(FareboxError):
    """The draft is no longer what this window last showed."""

    status, code, title = 409, "draft_changed", N_("Changed in another window")


class PaymentsOff(FareboxError):
    """The plan costs money, and nobody takes any here."""

    status, code, title = 409, "payments_off", N_("Payments are not set up")


class AlreadyHad(FareboxError):
    """What is given once for each person was given to this one before."""

    status, code, title = 409, "already_had", N_("You have already had this")


class OrderClosed(FareboxError):
    """The order is over, or has gone on; this step is not open to it any more."""

    status, code, title = 409, "order_closed", N_("This order is closed")


class VoucherSpent(FareboxError):
    """The voucher was used by somebody else, made void, or is past its day."""

    status, code, title = 409, "voucher_spent", N_("This voucher cannot be used")


class AccountBusy(FareboxError):
    """Something of the account would be torn apart if it were deleted now."""

    status, code, title = 409, "account_busy", N_("Not possible yet")


class AnswerNotLast(FareboxError):
    """A question can be asked again only under the last answer of its conversation."""

    status, code, title = 409, "answer_not_last", N_("No longer the last answer")


class PriceChanged(FareboxError):
    """What somebody agreed to pay is not what it costs now."""

    status, code, title = 409, "price_changed", N_("The price has changed")

    def __init__(self, reason: str, *, price: MilliCredits, says_charge: bool) -> None:
        facts = {"price": credits_number(price)}
        super().__init__(reason, says_charge=says_charge, facts=facts)
        self.price = price


class PayloadTooLarge(FareboxError):
    """More was sent than may be."""

    status, code, title = 413, "payload_too_large", N_("Request body too large")


class UnsupportedFile(FareboxError):
    """The file is nothing that can be sent, or nothing that this assistant takes."""

    status, code, title = 415, "unsupported_file", N_("This file cannot be sent")


class InvalidInput(FareboxError):
    """A field does not follow its rule; says the rule and an example."""

    status, code, title = 422, "invalid_input", N_("Please check what you entered")


class RateLimited(FareboxError):
    """Too fast."""

    status, code, title = 429, "rate_limited", N_("Too many requests")


class SpendCapReached(FareboxError):
    """A limit for the day would be passed, the subscriber's own or the operator's."""

    status, code, title = 429, "spend_cap_reached", N_("This would pass your daily limit")

    def __init__(
        self,
        *,
        required: int,
        cap: int,
        spent: int,
        retry_after_s: int,
        is_operators: bool = False,
    ) -> None:
        over = _over_operators_cap if is_operators else _over_own_cap
        super().__init__(
            over(required, cap, spent),
            says_charge=True,
            headers={"Retry-After": str(retry_after_s)},
            facts={
                "required": credits_number(required),
                "daily_cap": credits_number(cap),
                "set_by_operator": is_operators,
                "spent_today": credits_number(spent),
            },
        )


def _over_own_cap(required: int, cap: int, spent: int) -> str:
    if required > cap:  # no day has room for it
        return _(
            "Not charged: this needs {required}, more than your daily limit of {limit}; raise"
            " the limit on your account page.",
            required=credits_written(required),
            limit=amount(cap),
        )
    return _(
        "Not charged: this needs {required}, and your daily limit of {limit} has {left}"
        " left; wait until midnight UTC, or raise the limit on your account page.",
        required=credits_written(required),
        limit=amount(cap),
        left=amount(max(0, cap - spent)),
    )


def _over_operators_cap(required: int, cap: int, spent: int) -> str:
    if required > cap:
        return _(
            "Not charged: this needs {required}, more than your daily limit of {limit}; ask the"
            " operator of this site to raise it.",
            required=credits_written(required),
            limit=amount(cap),
        )
    return _(
        "Not charged: this needs {required}, and your daily limit of {limit} has {left} left; wait"
        " until midnight UTC, or ask the operator of this site to raise it.",
        required=credits_written(required),
        limit=amount(cap),
        left=amount(max(0, cap - spent)),
    )


class HeadersTooLarge(FareboxError):
    """More headers, or longer ones, than any of our callers needs."""

    status, code, title = 431, "headers_too_large", N_("Request headers too large")


class WebsocketUnsupported(FareboxError):
    """Metered calls are HTTP."""

    status, code, title = 501, "websocket_unsupported", N_("WebSocket is not supported here")


class UpstreamFailed(FareboxError):
    """The builder's upstream answered wrongly, or not at all."""

    status, code, title = 502, "upstream_failed", N_("The service behind this failed")


class LedgerUnavailable(FareboxError):
    """Credits cannot be set aside right now, so nothing is forwarded."""

    status, code, title = 503, "ledger_busy", N_("Try again in a moment")

    def __init__(self) -> None:
        super().__init__(
            _(
                "Credits cannot be set aside right now. Nothing was charged; try again in a"
                " moment."
            ),
            says_charge=True,
            headers={"Retry-After": "1"},
        )


class ChargeUndecided(FareboxError):
    """The work was begun, and its end could not be written down: what it cost is not known yet."""

    status, code, title = 503, "charge_undecided", N_("Not decided yet")


class Restarting(FareboxError):
    """This process is about to end, and begins nothing that it could not finish."""

    status, code, title = 503, "restarting", N_("Restarting")

    def __init__(self) -> None:
        super().__init__(
            _("Farebox is restarting; try again in a moment. Nothing was charged."),
            says_charge=True,
            headers={"Retry-After": "5"},
        )


class UpstreamTimeout(FareboxError):
    """The upstream took too long."""

    status, code, title = 504, "upstream_timeout", N_("The service behind this took too long")


def broken() -> FareboxError:
    """The refusal for a fault of ours, which the log has."""
    return FareboxError(_("Something went wrong here. It has been noted."))


def from_storage(error: StorageError) -> FareboxError:
    """The refusal for what the memory could not do."""
    if isinstance(error, UnfitValue):
        return MalformedRequest(_("What was sent has a character or number that cannot be kept."))
    return LedgerUnavailable()


def problem(error: FareboxError, *, public_url: str) -> dict[str, Any]:
    """The body of `application/problem+json` (RFC 9457)."""
    return {
        "type": f"{public_url}/problems/{error.code.replace('_', '-')}",
        "title": _(error.title),
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        **error.facts,
    }


def credits_number(credits_: int) -> int | float:
    """Credits as a JSON number: exact, since three decimals of at most 10**9 fit a double."""
    whole, part = divmod(credits_, 1000)
    return whole if part == 0 else float(format_credits(credits_))
