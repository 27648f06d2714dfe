"""Reports and requests for a refund, from the receipt to the answer, and by nobody else."""

import re

import httpx
import pytest
from sqlmodel import select

from host.errors import InvalidInput, RateLimited, UnknownReceipt
from host.metering.corrections import RefundRequest
from host.personal.concerns import ASKED_MOST
from storage.credits import MilliCredits
from storage.models.accounts import AuditLine
from storage.models.people import ConcernKind, ConcernState
from storage.moments import HOUR
from tests.builders import PlanIds, Shop, hold_of
from tests.databases import SQLITE_ALONE
from tests.fakes.clock import ManualClock
from tests.integration.test_account_pages import sam
from tests.integration.test_pages import (
    PagesHost,
    add,
    browser,
    host,
    open_browser,
    paid_message,
    sign_in,
)

__all__ = ["browser", "host", "sam"]
KINDS = pytest.mark.parametrize("kind", list(ConcernKind))


@KINDS
async def test_what_is_asked_stands_on_the_receipt_and_is_asked_once(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, kind: ConcernKind
) -> None:
    receipt = await paid_message(host, sam)
    path = f"/receipts/{receipt}/{kind}"
    done = await browser.post(path, data={kind: "17 × 7 is\r\n<b>wrong</b>"})
    assert (done.status_code, done.headers["location"]) == (303, f"/receipts/{receipt}#{kind}")
    again = await browser.post(path, data={kind: "and again"})
    assert again.status_code == 303
    page = (await browser.get(f"/receipts/{receipt}")).text
    assert "17 × 7 is\n&lt;b&gt;wrong&lt;/b&gt;" in page
    assert "and again" not in page
    assert "Nobody has answered yet." in page
    (line,) = await host.concerns.list(with_closed=False)
    assert (line.kind, line.email, line.receipt_id, line.charged) == (
        kind, "sam@example.com", receipt, 5_000
    )  # fmt: skip
    lines = await host.database.read(lambda s: s.exec(select(AuditLine)).all())
    asked = [one for one in lines if one.action == f"{kind}.asked"]
    assert [(one.subject, one.actor_id, one.detail) for one in asked] == [
        (f"receipt:{receipt}", sam, {})
    ]


@KINDS
async def test_nobody_asks_about_somebody_elses_receipt(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, kind: ConcernKind
) -> None:
    receipt = await paid_message(host, sam)
    await browser.post(f"/receipts/{receipt}/{kind}", data={kind: "mine alone to read"})
    await add(host, "Eve")
    async with open_browser(host) as stranger:
        await sign_in(stranger, "eve")
        theirs = await stranger.post(f"/receipts/{receipt}/{kind}", data={kind: "x"})
        nobodys = await stranger.post(f"/receipts/no-such/{kind}", data={kind: "x"})
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.text.replace(receipt, "no-such") == nobodys.text  # but for its address
        assert "mine alone" not in theirs.text
    assert len(await host.concerns.list(with_closed=True)) == 1


@SQLITE_ALONE
@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("", 422, "Say in a few words"),
        (" \r\n ", 422, "Say in a few words"),
        ("x" * 1_001, 422, "at most 1000"),
        ("x" * 10_000, 422, "at most 1000"),
        ("a\x00b", 422, "no text"),
        ("🎭" * 10_000, 400, "too large"),
    ],
    ids=["nothing", "blanks", "1,001", "10,000", "a NUL", "10,000 pictures"],
)
async def test_what_cannot_be_taken_down_is_refused_in_words_and_stays_to_be_mended(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, text: str, status: int, words: str
) -> None:
    receipt = await paid_message(host, sam)
    refused = await browser.post(f"/receipts/{receipt}/report", data={"report": text})
    assert (refused.status_code, words in refused.text) == (status, True)
    if status == 422:
        assert re.search(r'class="ask ask-open" id="report"', refused.text)
    assert await host.concerns.list(with_closed=True) == []
    longest = await browser.post(f"/receipts/{receipt}/report", data={"report": "ü" * 1_000})
    assert longest.status_code == 303


async def test_a_key_that_was_pasted_is_not_kept(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    receipt = await paid_message(host, sam)
    key = "sk-proj-0123456789abcdefghij"
    await browser.post(f"/receipts/{receipt}/report", data={"report": f"my key {key} failed"})
    (line,) = await host.concerns.list(with_closed=False)
    assert key not in line.text
    assert "failed" in line.text


async def test_a_refund_answers_who_asked_for_one(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    receipt = await paid_message(host, sam)
    for kind in ConcernKind:
        await browser.post(f"/receipts/{receipt}/{kind}", data={kind: "wrong"})
    request = RefundRequest(receipt_id=receipt, request="ticket", credits=MilliCredits(2_000))
    await host.corrections.refund(None, request)
    about = await host.concerns.about(receipt)
    assert about[ConcernKind.REFUND].state is ConcernState.REFUNDED
    assert about[ConcernKind.REPORT].state is ConcernState.OPEN
    page = (await browser.get(f"/receipts/{receipt}")).text
    assert re.search(r"Asked on <time[^>]+>18 November 2026</time>, refunded on <time", page)


async def test_a_request_is_declined_with_a_note_and_may_be_refunded_after_all(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    receipt = await paid_message(host, sam)
    await browser.post(f"/receipts/{receipt}/refund", data={"refund": "wrong"})
    (line,) = await host.concerns.list(with_closed=False)
    await host.concerns.close(line.id, note="It is <right>.")
    with pytest.raises(InvalidInput):
        await host.concerns.close(line.id, note="twice")
    assert await host.concerns.list(with_closed=False) == []
    page = (await browser.get(f"/receipts/{receipt}")).text
    assert "declined on" in page
    assert "It is &lt;right&gt;." in page
    await host.corrections.refund(None, RefundRequest(receipt_id=receipt, request="ticket"))
    assert "refunded on" in (await browser.get(f"/receipts/{receipt}")).text


async def test_no_refund_is_asked_where_nothing_is_charged(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    receipt = await paid_message(host, sam)
    await host.corrections.refund(None, RefundRequest(receipt_id=receipt, request="ticket"))
    page = (await browser.get(f"/receipts/{receipt}")).text
    assert 'id="refund"' not in page
    refused = await browser.post(f"/receipts/{receipt}/refund", data={"refund": "more"})
    assert (refused.status_code, "nothing can come back" in refused.text) == (422, True)
    assert await host.concerns.list(with_closed=True) == []


@SQLITE_ALONE
async def test_a_lot_of_asking_has_to_wait(host: PagesHost, clock: ManualClock, sam: int) -> None:
    await paid_message(host, sam)
    wallet = await host.database.run(lambda unit: unit.books.open_wallet(sam))
    (plan,) = await host.catalogue.plans()
    shop = Shop(0, sam, wallet, 1, PlanIds(plan.id, plan.version.id))
    receipts = [hold_of(shop, 10) for _ in range(ASKED_MOST + 1)]
    await host.database.run(lambda unit: [unit.books.open_hold(hold) for hold in receipts])
    for hold in receipts[:-1]:
        await host.concerns.ask(sam, hold.public_id, ConcernKind.REPORT, "x")
    last = receipts[-1].public_id
    with pytest.raises(RateLimited):
        await host.concerns.ask(sam, last, ConcernKind.REPORT, "x")
    clock.advance(HOUR)
    await host.concerns.ask(sam, last, ConcernKind.REPORT, "x")
    with pytest.raises(UnknownReceipt):
        await host.concerns.ask(sam + 1, last, ConcernKind.REFUND, "x")
