"""What was bought and sent, in the copy of one's data and when the account is deleted."""

import json
import re
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO

import httpx
import pytest
import pytest_asyncio
from sqlmodel import col, select

from host.config import Settings
from host.purchase.vouchers import VoucherBatch
from storage.attachments import add_attachment
from storage.database import Database, Unit
from storage.ids import new_id
from storage.models.conversations import (
    Attachment,
    AttachmentContent,
    Message,
    Step,
    UpstreamDeletion,
)
from storage.models.purchase import PurchaseOrder, Voucher
from storage.moments import Micros
from storage.order_states import OrderState
from tests.databases import verify_ledger
from tests.fakes.clock import START, ManualClock
from tests.fakes.pictures import png
from tests.integration.test_account_deletion import SAID, converse
from tests.integration.test_buy_page import account_of, press, stock
from tests.integration.test_pages import BASE, GOOD, PagesHost, add, open_browser, sign_in

PICTURE = png(640, 480)
LARGE = png(800, 600) + bytes(range(256)) * 2_000
REFUSED = "A message that was not answered"
WHY = "Not charged: there are no credits left."
FROM = "/thread/where-sam-came-from"


@pytest.fixture
def host(database: Database, clock: ManualClock) -> PagesHost:
    return PagesHost(database, clock, Settings(public_url=BASE, signup="open", payments="demo"))


@pytest_asyncio.fixture
async def browser(host: PagesHost) -> AsyncIterator[httpx.AsyncClient]:
    await add(host, "Sam")
    await stock(host)
    async with open_browser(host) as client:
        await sign_in(client, "sam")
        yield client


async def delete(browser: httpx.AsyncClient) -> httpx.Response:
    mine = {"email": "sam@example.com", "current": GOOD}
    return await browser.post("/account/delete", data=mine)


async def order(browser: httpx.AsyncClient) -> str:
    """Order a pack and leave it unpaid; the order's number."""
    answer = await press(browser, f"/buy/pack?return_to={FROM}")
    return answer.headers["location"].removeprefix("/pay/")


async def stored(host: PagesHost) -> dict[str, PurchaseOrder]:
    asked = select(PurchaseOrder).order_by(col(PurchaseOrder.id))
    found = await host.database.read(lambda s: s.exec(asked).all())
    return {one.id: one for one in found}


def send(
    unit: Unit, account_id: int, thread_id: str, name: str, content: bytes, *, is_sent: bool = True
) -> str:
    """A file of the thread, sent with its first message."""
    asked = select(Message.id).where(Message.thread_id == thread_id).order_by(Message.created_at)  # type: ignore[arg-type]
    attachment = Attachment(
        id=new_id(),
        account_id=account_id,
        thread_id=thread_id,
        message_id=unit.session.exec(asked).first() if is_sent else None,
        name=name,
        kind="image",
        media_type="image/png",
        size=len(content),
        created_at=START,
    )
    add_attachment(unit.session, attachment, content)
    return attachment.id


async def test_the_copy_has_orders_with_their_money_and_files_with_their_bytes(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    sam, eve = await account_of(host), await add(host, "Eve")
    bought, unpaid = await order(browser), await order(browser)
    await browser.post(f"/pay/{bought}/pay")
    await host.purchases.refund(None, bought, 200)

    def talk(unit: Unit) -> list[str]:
        converse(unit, sam)
        converse(unit, eve, "eves-thread")
        unit.session.add(
            UpstreamDeletion(
                account_id=sam, thread_id="gone", provider="responses",
                base_url="https://provider.example/v1", secret_id="s", next_at=START,
                created_at=START,
            )
        )  # fmt: skip
        for number, (speaker, said) in enumerate(
            (("user_message", REFUSED), ("assistant_message", WHY))
        ):
            unit.session.add(
                Step(
                    id=new_id(), thread_id="sams-thread", type=speaker, output=said,
                    created_at=Micros(2_000 + number),
                )
            )  # fmt: skip
        send(unit, eve, "eves-thread", "eves.png", PICTURE)
        return [
            send(unit, sam, "sams-thread", "höhle.png", PICTURE),
            send(unit, sam, "sams-thread", "../../large.png", LARGE, is_sent=False),
        ]

    sent, waiting = await host.database.run(talk)
    pieces = [piece async for piece in host.download.archive(sam)]
    with zipfile.ZipFile(BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        tables = {
            name: json.loads(archive.read(f"farebox/{name}.json"))
            for name in ("purchases", "files", "deletions", "messages")
        }
        files = {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("farebox/files/")
        }
        about = archive.read("farebox/about.txt").decode()
    assert files == {
        f"farebox/files/{sent}-höhle.png": PICTURE,
        f"farebox/files/{waiting}-large.png": LARGE,
    }
    assert max(map(len, pieces)) < len(LARGE) / 2, "it is sent in pieces"
    money = ("order", "state", "amount_minor", "currency", "refunded_minor")
    assert [tuple(one[name] for name in money) for one in tables["purchases"]] == [
        (bought, "partially_refunded", 500, "USD", 200),
        (unpaid, "created", 500, "USD", 0),
    ]
    first, second = tables["files"]
    assert (first["conversation"], first["size"], first["media_type"]) == (
        "sams-thread", len(PICTURE), "image/png"
    )  # fmt: skip
    assert first["message"]
    assert first["sent_at"]
    assert (second["message"], second["sent_at"]) == (None, None)
    assert [(one["speaker"], one["text"]) for one in tables["messages"]] == [
        ("subscriber", SAID), ("assistant", ""), ("subscriber", REFUSED), ("farebox", WHY)
    ]  # fmt: skip
    (deletion,) = tables["deletions"]
    assert (deletion["conversation"], deletion["provider"]) == (
        "gone", "https://provider.example/v1"
    )  # fmt: skip
    for name in ("purchases", "files", "deletions"):
        assert re.search(rf"^{name} ", about, re.MULTILINE)


async def test_orders_stay_in_the_books_without_a_word_of_the_person(
    host: PagesHost, browser: httpx.AsyncClient
) -> None:
    sam = await account_of(host)
    (issued,) = await host.vouchers.issue(None, VoucherBatch(plan_slug="pass"))
    await browser.post("/redeem", data={"code": issued.code})
    paid, declined, unpaid = [await order(browser) for _ in range(3)]
    await browser.post(f"/pay/{paid}/pay")
    await browser.post(f"/pay/{declined}/decline")
    before = await stored(host)
    assert {before[one].return_to for one in (paid, declined, unpaid)} == {FROM}
    assert before[declined].reason
    file_id = await host.database.run(
        lambda u: send(u, sam, "no thread yet", "x.png", PICTURE, is_sent=False)
    )

    assert (await delete(browser)).status_code == 303
    after = await stored(host)
    assert {one.account_id for one in after.values()} == {sam}
    assert {(one.return_to, one.reason) for one in after.values()} == {("", "")}
    states = {paid: OrderState.FULFILLED, declined: OrderState.CANCELLED}
    states[unpaid] = OrderState.CANCELLED
    assert {number: after[number].state for number in states} == states
    kept = ("amount_minor", "currency", "credits", "refunded_minor", "subscription_id", "paid_at")
    for number, one in before.items():
        assert [getattr(after[number], name) for name in kept] == [
            getattr(one, name) for name in kept
        ]
    voucher = await host.database.read(lambda s: s.exec(select(Voucher)).one())
    assert voucher.order_id in after
    assert await host.database.read(lambda s: s.get(AttachmentContent, file_id)) is None
    await verify_ledger(host.database)


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.DISPUTED])
async def test_a_payment_that_is_not_decided_has_to_be_first(
    host: PagesHost, browser: httpx.AsyncClient, state: OrderState
) -> None:
    number = await order(browser)
    if state is OrderState.DISPUTED:
        await browser.post(f"/pay/{number}/pay")
    await host.database.run(lambda unit: bring_to(unit, number, state))
    refused = await delete(browser)
    assert refused.status_code == 409
    assert "The payment for “Pack 100” is on its way or disputed." in refused.text
    assert (await stored(host))[number].return_to == FROM, "nothing was erased"
    await host.database.run(
        lambda unit: bring_to(
            unit,
            number,
            OrderState.WON if state is OrderState.DISPUTED else OrderState.CANCELLED,
        )
    )
    assert (await delete(browser)).status_code == 303


def bring_to(unit: Unit, number: str, state: OrderState) -> None:
    """What a payment provider's news would come to."""
    unit.session.get_one(PurchaseOrder, number).state = state.value
