"""An access token opens one offering for one subscriber until it ends, and nothing else."""

import base64
import json

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import select

from host.errors import InvalidToken
from host.identity.access_tokens import AccessTokens
from host.vault.envelope import MasterKey
from host.vault.vault import Vault
from storage.database import Database
from storage.models.accounts import AccessToken, SigningKey
from storage.models.vault import Secret
from storage.moments import DAY, SECOND
from tests.builders import Shop, add_shop
from tests.fakes.clock import START, ManualClock
from tests.fakes.fragile_database import OvertakenDatabase

ISSUER = "https://farebox.example"


def open_tokens(
    database: Database, clock: ManualClock, key: bytes = bytes(32), issuer: str = ISSUER
) -> AccessTokens:
    return AccessTokens(database, clock, Vault(database, clock, MasterKey(key)), issuer)


@pytest.fixture
def tokens(database: Database, clock: ManualClock) -> AccessTokens:
    return open_tokens(database, clock)


@pytest_asyncio.fixture
async def shop(database: Database) -> Shop:
    return await database.run(add_shop)


def claims_of(encoded: str) -> dict[str, object]:
    part = encoded.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


async def test_a_token_says_who_may_call_what_until_when_and_nothing_more(
    tokens: AccessTokens, shop: Shop
) -> None:
    encoded = await tokens.issue(shop.subscriber_id, shop.offering_id, days=7)
    verified = tokens.verify(encoded, shop.offering_id)
    assert (verified.account_id, verified.offering_id) == (shop.subscriber_id, shop.offering_id)
    assert verified.expires_at == START + 7 * DAY
    assert jwt.get_unverified_header(encoded)["alg"] == "EdDSA"
    assert claims_of(encoded) == {
        "iss": ISSUER,
        "aud": f"offering:{shop.offering_id}",
        "sub": str(shop.subscriber_id),
        "jti": verified.jti,
        "iat": START // SECOND,
        "exp": (START + 7 * DAY) // SECOND,
    }


async def test_it_opens_no_other_offering(tokens: AccessTokens, shop: Shop) -> None:
    encoded = await tokens.issue(shop.subscriber_id, shop.offering_id)
    for _ in range(2):  # before and after its signature is remembered
        with pytest.raises(InvalidToken):
            tokens.verify(encoded, shop.offering_id + 1)
        tokens.verify(encoded, shop.offering_id)


async def test_it_ends_by_our_clock_even_when_remembered(
    tokens: AccessTokens, shop: Shop, clock: ManualClock
) -> None:
    encoded = await tokens.issue(shop.subscriber_id, shop.offering_id, days=1)
    clock.advance(DAY - SECOND)
    tokens.verify(encoded, shop.offering_id)
    clock.advance(SECOND)
    with pytest.raises(InvalidToken):
        tokens.verify(encoded, shop.offering_id)


async def test_a_revoked_token_is_refused_at_once_and_after_a_restart(
    tokens: AccessTokens, shop: Shop, database: Database, clock: ManualClock
) -> None:
    encoded = await tokens.issue(shop.subscriber_id, shop.offering_id)
    jti = tokens.verify(encoded, shop.offering_id).jti
    assert not await tokens.revoke(jti, account_id=shop.builder_id)
    tokens.verify(encoded, shop.offering_id)
    assert await tokens.revoke(jti, account_id=shop.subscriber_id)
    assert not await tokens.revoke(jti)
    restarted = open_tokens(database, clock)
    await restarted.refresh()
    for door in (tokens, restarted):
        with pytest.raises(InvalidToken):
            door.verify(encoded, shop.offering_id)


async def test_a_token_issued_while_the_keys_are_read_is_good(
    database: Database, clock: ManualClock, shop: Shop
) -> None:
    overtaken = OvertakenDatabase(database)
    here = open_tokens(overtaken, clock)
    issued: list[str] = []

    async def issue() -> None:
        issued.append(await here.issue(shop.subscriber_id, shop.offering_id))

    overtaken.by = issue
    await here.refresh()
    assert here.verify(issued[0], shop.offering_id).account_id == shop.subscriber_id


async def test_what_another_process_issued_and_revoked_is_known_after_refreshing(
    tokens: AccessTokens, shop: Shop, database: Database, clock: ManualClock
) -> None:
    here = open_tokens(database, clock)
    encoded = await tokens.issue(shop.subscriber_id, shop.offering_id)
    with pytest.raises(InvalidToken):
        here.verify(encoded, shop.offering_id)
    await here.refresh()
    jti = here.verify(encoded, shop.offering_id).jti
    await tokens.revoke(jti)
    await here.refresh()
    with pytest.raises(InvalidToken):
        here.verify(encoded, shop.offering_id)


async def test_forged_and_misused_tokens_all_get_the_same_refusal(
    tokens: AccessTokens, shop: Shop
) -> None:
    real = await tokens.issue(shop.subscriber_id, shop.offering_id)
    kid = jwt.get_unverified_header(real)["kid"]
    claims = claims_of(real)
    header, payload, signature = real.split(".")
    forger = Ed25519PrivateKey.generate()
    public = tokens._keys[kid].public_bytes_raw()
    other = {**claims, "sub": str(shop.builder_id)}
    forged = [
        "",
        "nonsense",
        "a.b.c",
        "x" * 5000,
        "é\udcff",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{_part(other)}.{signature}",
        f"{_part({'alg': 'none', 'kid': kid})}.{payload}.",
        jwt.encode(claims, forger, algorithm="EdDSA", headers={"kid": kid}),
        jwt.encode(claims, forger, algorithm="EdDSA", headers={"kid": "unknown"}),
        jwt.encode(claims, forger, algorithm="EdDSA"),
        # The public key as an HMAC secret: the classic confusion of algorithms.
        jwt.encode(claims, public, algorithm="HS256", headers={"kid": kid}),
    ]
    refusals = set()
    for encoded in forged:
        with pytest.raises(InvalidToken) as refused:
            tokens.verify(encoded, shop.offering_id)
        refusals.add((refused.value.detail, refused.value.headers["WWW-Authenticate"]))
    assert len(refusals) == 1


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "jti", "iat", "exp"])
async def test_every_claim_is_required(tokens: AccessTokens, shop: Shop, missing: str) -> None:
    claims = claims_of(await tokens.issue(shop.subscriber_id, shop.offering_id))
    del claims[missing]
    with pytest.raises(InvalidToken):
        tokens.verify(await _signed_by_us(tokens, claims), shop.offering_id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": ["offering:1", "offering:2"]},
        {"aud": "1"},
        {"aud": "offering:x"},
        {"sub": "somebody"},
        {"exp": "tomorrow"},
    ],
    ids=str,
)
async def test_a_claim_that_is_not_ours_is_refused_whoever_signed(
    tokens: AccessTokens, shop: Shop, wrong: dict[str, object]
) -> None:
    claims = claims_of(await tokens.issue(shop.subscriber_id, shop.offering_id)) | wrong
    with pytest.raises(InvalidToken):
        tokens.verify(await _signed_by_us(tokens, claims), shop.offering_id)


async def test_one_key_signs_and_its_private_half_is_sealed(
    tokens: AccessTokens, shop: Shop, database: Database, clock: ManualClock
) -> None:
    await tokens.issue(shop.subscriber_id, shop.offering_id)
    await open_tokens(database, clock).issue(shop.subscriber_id, shop.offering_id)
    signer = await tokens._signing.key()
    private = signer.private.private_bytes_raw()
    keys = await database.read(lambda s: list(s.exec(select(SigningKey))))
    (secret,) = await database.read(lambda s: list(s.exec(select(Secret))))
    assert [key.kid for key in keys] == [signer.kid]
    written = str(secret.model_dump())
    assert private.hex() not in written
    assert secret.last4 == ""
    assert str(private)[2:-1] not in written


async def test_tokens_are_listed_by_number_and_not_kept(
    tokens: AccessTokens, shop: Shop, database: Database
) -> None:
    first = await tokens.issue(shop.subscriber_id, shop.offering_id, name="laptop")
    await tokens.issue(shop.builder_id, shop.offering_id)
    (line,) = await tokens.list(shop.subscriber_id)
    assert (line.name, line.revoked_at) == ("laptop", None)
    assert line.jti == tokens.verify(first, shop.offering_id).jti
    assert len(await tokens.list()) == 2
    await tokens.revoke(line.jti)
    (line,) = await tokens.list(shop.subscriber_id)
    assert line.revoked_at == START
    rows = await database.read(
        lambda s: [str(r.model_dump()) for r in s.exec(select(AccessToken))]
    )
    assert first.split(".")[2] not in str(rows)


async def _signed_by_us(tokens: AccessTokens, claims: dict[str, object]) -> str:
    signer = await tokens._signing.key()
    # PyJWT checks some claims when it signs; what we refuse must first be signed.
    header = _part({"alg": "EdDSA", "typ": "JWT", "kid": signer.kid})
    signed = f"{header}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(signer.private.sign(signed.encode())).rstrip(b"=")
    return f"{signed}.{signature.decode()}"


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
