"""Who can come in, who cannot, and what either is told."""

import asyncio
import time

import pytest
from argon2 import PasswordHasher
from sqlmodel import select

from host.config import Settings
from host.errors import AccountSuspended, InvalidInput, NotAllowed, NotSignedIn, RateLimited
from host.identity.entrance import Newcomer, Visit
from host.identity.passwords import Passwords
from storage.database import Database, Unit
from storage.models.accounts import (
    Account,
    AccountState,
    AuditLine,
    LoginSession,
    OneTimeLink,
    Role,
)
from storage.moments import DAY, HOUR, MINUTE
from tests.door import Door, key_of
from tests.fakes.clock import ManualClock

GOOD = "correct horse battery"
HOME = Visit(browser="Firefox", address="192.0.2.7")
ADA = Newcomer(name="Ada", email="Ada@Example.com ", password=GOOD)


@pytest.fixture
def door(database: Database, clock: ManualClock) -> Door:
    return Door(database, clock, Settings(public_url="https://farebox.example"))


async def add_sam(door: Door, *roles: Role) -> None:
    await door.accounts.create("sam@example.com", "Sam", GOOD, roles or (Role.SUBSCRIBER,))


async def test_an_account_can_sign_in_with_its_password_and_any_spelling_of_its_address(
    door: Door,
) -> None:
    await add_sam(door, Role.SUBSCRIBER, Role.BUILDER)
    cookie = await door.entrance.sign_in(" SAM@Example.com", GOOD, HOME)
    visitor = await door.login_sessions.find(cookie)
    assert visitor is not None
    assert (visitor.email, visitor.name) == ("sam@example.com", "Sam")
    assert visitor.roles == {Role.SUBSCRIBER, Role.BUILDER}


async def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(door: Door) -> None:
    await add_sam(door)
    await door.accounts.create("bea@example.com", "Bea", None, (Role.BUILDER,))
    answers = set()
    for email in ("sam@example.com", "nobody@example.com", "bea@example.com", "no address"):
        with pytest.raises(NotSignedIn) as refused:
            await door.entrance.sign_in(email, "not the password", HOME)
        answers.add((refused.value.detail, refused.value.code))
    assert len(answers) == 1


async def test_an_unknown_account_takes_as_long_as_a_known_one(
    database: Database, clock: ManualClock
) -> None:
    door = Door(database, clock, Settings(), Passwords())
    await add_sam(door)

    async def seconds(email: str) -> float:
        started = time.perf_counter()
        with pytest.raises(NotSignedIn):
            await door.entrance.sign_in(email, "not the password", HOME)
        return time.perf_counter() - started

    await seconds("warm@example.com")
    known = min([await seconds("sam@example.com") for _ in range(3)])
    unknown = min([await seconds("nobody@example.com") for _ in range(3)])
    # Without a hash to check an answer takes well under a hundredth of a check.
    assert unknown > known / 4


async def test_passwords_are_kept_as_argon2id_and_cookies_as_hashes(
    database: Database, clock: ManualClock
) -> None:
    door = Door(database, clock, Settings(), Passwords())
    await add_sam(door)
    cookie = await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    kept = await database.read(lambda s: s.exec(select(Account.password_hash)).one())
    assert kept is not None
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    rows = await database.read(lambda s: [str(r) for r in s.exec(select(LoginSession))])
    assert len(cookie) >= 43
    assert cookie not in str(rows)


async def test_a_password_hashed_with_older_parameters_is_hashed_again(
    door: Door, database: Database
) -> None:
    await add_sam(door)
    weak = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(GOOD)

    def age(unit: Unit) -> None:
        unit.session.exec(select(Account)).one().password_hash = weak

    await database.run(age)
    await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    kept = await database.read(lambda s: s.exec(select(Account.password_hash)).one())
    assert kept not in (None, weak)
    await door.entrance.sign_in("sam@example.com", GOOD, HOME)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param(("no address", "Sam", GOOD), "email", id="no address"),
        pytest.param(("sam@@example.com", "Sam", GOOD), "email", id="two at signs"),
        pytest.param(("a b@example.com", "Sam", GOOD), "email", id="a space"),
        pytest.param(("sam@example.com", "  ", GOOD), "name", id="no name"),
        pytest.param(("sam@example.com", "Sam\x00", GOOD), "name", id="unprintable name"),
        pytest.param(("sam@example.com", "Sam", "ninechars"), "password", id="short password"),
        pytest.param(("sam@example.com", "Sam", "x" * 257), "password", id="endless password"),
        pytest.param(
            ("sam@example.com", "Sam", "Sam@example.com"), "password", id="address as password"
        ),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_the_field_it_concerns(
    door: Door, values: tuple[str, str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await door.accounts.create(*values, (Role.SUBSCRIBER,))
    assert refused.value.facts["field"] == field
    assert await door.accounts.list() == []


async def test_one_address_has_one_account(door: Door) -> None:
    await add_sam(door)
    with pytest.raises(InvalidInput, match="already"):
        await add_sam(door)
    with pytest.raises(InvalidInput, match="already"):
        await door.accounts.invite("SAM@example.com", Role.SUBSCRIBER)
    assert len(await door.accounts.list()) == 1


async def test_the_same_address_twice_at_once_makes_one_account(door: Door) -> None:
    made = await asyncio.gather(add_sam(door), add_sam(door), return_exceptions=True)
    assert sorted(type(result).__name__ for result in made) == ["InvalidInput", "NoneType"]
    assert len(await door.accounts.list()) == 1


async def test_a_suspended_account_is_out_at_once_and_in_again_when_reinstated(
    door: Door,
) -> None:
    await add_sam(door)
    cookie = await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    suspended = await door.accounts.suspend("sam@example.com")
    assert suspended.state is AccountState.SUSPENDED
    assert await door.login_sessions.find(cookie) is None
    with pytest.raises(AccountSuspended):
        await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    with pytest.raises(NotSignedIn):  # only who knows the password learns of it
        await door.entrance.sign_in("sam@example.com", "not the password", HOME)
    await door.accounts.reinstate("sam@example.com")
    assert await door.login_sessions.find(cookie) is None
    await door.entrance.sign_in("sam@example.com", GOOD, HOME)


async def test_the_last_operator_can_neither_be_suspended_nor_lose_the_role(door: Door) -> None:
    await add_sam(door, Role.OPERATOR)
    with pytest.raises(NotAllowed):
        await door.accounts.suspend("sam@example.com")
    with pytest.raises(NotAllowed):
        await door.accounts.take_role("sam@example.com", Role.OPERATOR)
    await door.accounts.create("olga@example.com", "Olga", GOOD, (Role.OPERATOR,))
    await door.accounts.suspend("sam@example.com")
    with pytest.raises(NotAllowed):
        await door.accounts.suspend("olga@example.com")


async def test_roles_are_given_and_taken_one_by_one(door: Door) -> None:
    await add_sam(door)
    given = await door.accounts.give_role("sam@example.com", Role.BUILDER)
    assert given.roles == {Role.SUBSCRIBER, Role.BUILDER}
    again = await door.accounts.give_role("sam@example.com", Role.BUILDER)
    assert again.roles == given.roles
    taken = await door.accounts.take_role("sam@example.com", Role.SUBSCRIBER)
    assert taken.roles == {Role.BUILDER}
    assert await door.accounts.roles_of(taken.id) == {Role.BUILDER}


async def test_sign_up_by_invitation_needs_one_and_keeps_to_its_address(door: Door) -> None:
    with pytest.raises(NotAllowed):
        await door.entrance.sign_up(ADA, HOME)
    link = await door.accounts.invite("ada@example.com", Role.BUILDER)
    assert link.startswith("https://farebox.example/signup?key=")
    assert await door.entrance.invitation(key_of(link)) == "ada@example.com"
    other = Newcomer(name="Ada", email="eve@example.com", password=GOOD)
    cookie = await door.entrance.sign_up(other, HOME, key_of(link))
    visitor = await door.login_sessions.find(cookie)
    assert visitor is not None
    assert visitor.email == "ada@example.com"
    assert visitor.roles == {Role.SUBSCRIBER, Role.BUILDER}
    with pytest.raises(NotAllowed):
        await door.entrance.sign_up(ADA, HOME, key_of(link))


async def test_open_sign_up_makes_subscribers_and_closed_makes_nobody(
    database: Database, clock: ManualClock
) -> None:
    with pytest.raises(NotAllowed):
        await Door(database, clock, Settings(signup="closed")).entrance.sign_up(ADA, HOME)
    open_door = Door(database, clock, Settings(signup="open"))
    visitor = await open_door.login_sessions.find(await open_door.entrance.sign_up(ADA, HOME))
    assert visitor is not None
    assert visitor.roles == {Role.SUBSCRIBER}


async def test_the_setup_link_makes_the_first_operator_and_only_the_first(door: Door) -> None:
    older, link = await door.accounts.setup_link(), await door.accounts.setup_link()
    assert older is not None
    assert link is not None
    with pytest.raises(NotAllowed):  # each start prints a new one, and only that one works
        await door.entrance.set_up(ADA, HOME, key_of(older))
    cookie = await door.entrance.set_up(ADA, HOME, key_of(link))
    visitor = await door.login_sessions.find(cookie)
    assert visitor is not None
    assert visitor.roles == set(Role)
    assert await door.accounts.setup_link() is None


async def test_a_setup_link_is_worthless_once_there_is_an_operator(door: Door) -> None:
    link = await door.accounts.setup_link()
    assert link is not None
    await add_sam(door, Role.OPERATOR)
    with pytest.raises(NotAllowed):
        await door.entrance.set_up(ADA, HOME, key_of(link))
    assert len(await door.accounts.list()) == 1


async def test_a_setup_link_used_twice_at_once_makes_one_operator(door: Door) -> None:
    link = await door.accounts.setup_link()
    assert link is not None
    eve = Newcomer(name="Eve", email="eve@example.com", password=GOOD)
    results = await asyncio.gather(
        *(door.entrance.set_up(who, HOME, key_of(link)) for who in (ADA, eve)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["LinkSpent", "str"]
    assert len(await door.accounts.list()) == 1


async def test_a_reset_link_changes_the_password_ends_every_login_and_starts_none(
    door: Door, database: Database
) -> None:
    await add_sam(door)
    cookie = await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    link = await door.accounts.reset_link("sam@example.com")
    assert link.startswith("https://farebox.example/reset?key=")
    await door.entrance.reset_password(key_of(link), "an even better one", HOME)
    assert await door.login_sessions.find(cookie) is None
    with pytest.raises(NotSignedIn):
        await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    await door.entrance.sign_in("sam@example.com", "an even better one", HOME)
    with pytest.raises(NotAllowed):
        await door.entrance.reset_password(key_of(link), "used for a second time", HOME)
    kept = await database.read(lambda s: [str(r) for r in s.exec(select(OneTimeLink))])
    assert key_of(link) not in str(kept)


async def test_a_reset_link_lasts_an_hour_and_an_invitation_a_week(
    door: Door, clock: ManualClock
) -> None:
    await add_sam(door)
    reset = key_of(await door.accounts.reset_link("sam@example.com"))
    clock.advance(HOUR)
    with pytest.raises(NotAllowed):
        await door.entrance.reset_password(reset, "an even better one", HOME)
    invitation = key_of(await door.accounts.invite("ada@example.com", Role.SUBSCRIBER))
    clock.advance(7 * DAY)
    with pytest.raises(NotAllowed):
        await door.entrance.sign_up(ADA, HOME, invitation)


async def test_a_password_that_breaks_the_rule_does_not_use_the_link_up(door: Door) -> None:
    await add_sam(door)
    link = await door.accounts.reset_link("sam@example.com")
    with pytest.raises(InvalidInput):
        await door.entrance.reset_password(key_of(link), "short", HOME)
    await door.entrance.reset_password(key_of(link), "an even better one", HOME)


async def test_a_link_for_one_thing_is_no_good_for_another(door: Door) -> None:
    await add_sam(door)
    invitation = await door.accounts.invite("ada@example.com", Role.SUBSCRIBER)
    with pytest.raises(NotAllowed):
        await door.entrance.set_up(ADA, HOME, key_of(invitation))
    with pytest.raises(NotAllowed):
        await door.entrance.reset_password(key_of(invitation), "an even better one", HOME)
    with pytest.raises(NotAllowed):
        await door.entrance.reset_password("", "an even better one", HOME)


async def test_a_reset_link_for_nobody_says_so_to_the_operator(door: Door) -> None:
    with pytest.raises(InvalidInput):
        await door.accounts.reset_link("nobody@example.com")


async def try_wrongly(door: Door, times: int, address: str) -> None:
    visit = Visit(browser="", address=address)
    for _ in range(times):
        with pytest.raises(NotSignedIn):
            await door.entrance.sign_in("sam@example.com", "not the password", visit)


async def test_a_stranger_who_guesses_does_not_keep_the_owner_out(door: Door) -> None:
    await add_sam(door)
    for number in range(20):
        await try_wrongly(door, 10, f"198.51.100.{number}")
    with pytest.raises(RateLimited):
        await try_wrongly(door, 1, "198.51.100.0")
    await door.entrance.sign_in("sam@example.com", GOOD, HOME)


async def test_an_account_is_not_guessed_at_from_everywhere_at_once(door: Door) -> None:
    await add_sam(door)
    for number in range(40):
        await try_wrongly(door, 10, f"198.51.100.{number}")
    with pytest.raises(RateLimited):
        await door.entrance.sign_in("sam@example.com", GOOD, HOME)


async def test_a_new_password_ends_the_wait(door: Door) -> None:
    await add_sam(door)
    await try_wrongly(door, 10, HOME.address)
    link = await door.accounts.reset_link("sam@example.com")
    await door.entrance.reset_password(key_of(link), "an even better one", HOME)
    await door.entrance.sign_in("sam@example.com", "an even better one", HOME)


async def test_the_eleventh_wrong_password_has_to_wait_and_so_does_the_right_one(
    door: Door, clock: ManualClock
) -> None:
    await add_sam(door)
    await try_wrongly(door, 10, HOME.address)
    with pytest.raises(RateLimited) as refused:
        await door.entrance.sign_in("sam@example.com", GOOD, HOME)
    assert 0 < int(refused.value.headers["Retry-After"]) <= 900
    clock.advance(15 * MINUTE)
    await door.entrance.sign_in("sam@example.com", GOOD, HOME)


async def test_one_address_cannot_try_many_accounts(door: Door) -> None:
    async def attempt(number: int) -> str:
        try:
            await door.entrance.sign_in(f"{number}@example.com", "not the password", HOME)
        except (NotSignedIn, RateLimited) as refused:
            return refused.code
        return "in"

    answers = await asyncio.gather(*(attempt(number) for number in range(44)))
    assert answers.count("not_signed_in") == 40
    assert answers.count("rate_limited") == 4


async def test_signing_in_correctly_is_never_rationed(door: Door) -> None:
    await add_sam(door)
    cookies = {await door.entrance.sign_in("sam@example.com", GOOD, HOME) for _ in range(12)}
    assert len(cookies) == 12


async def test_what_was_done_to_whom_is_on_record_without_any_secret(
    door: Door, database: Database
) -> None:
    await add_sam(door)
    operator = await door.accounts.create("olga@example.com", "Olga", GOOD, (Role.OPERATOR,))
    link = await door.accounts.reset_link("sam@example.com", operator.id)
    await door.entrance.reset_password(key_of(link), "an even better one", HOME)
    cookie = await door.entrance.sign_in("sam@example.com", "an even better one", HOME)
    await door.accounts.give_role("sam@example.com", Role.BUILDER, operator.id)
    await door.accounts.suspend("sam@example.com", operator.id)
    lines = await database.read(lambda s: list(s.exec(select(AuditLine))))
    assert [(line.action, line.actor_id == operator.id) for line in lines] == [
        ("account.created", False),
        ("account.created", False),
        ("password.reset_link_made", True),
        ("password.reset", False),
        ("login_session.started", False),
        ("role.given", True),
        ("account.suspended", True),
    ]
    written = str([line.model_dump() for line in lines])
    for secret in (key_of(link), "an even better one", cookie):
        assert secret not in written
