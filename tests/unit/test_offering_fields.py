import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.catalogue import offering_fields
from host.catalogue.currencies import Money, format_money, parse_money
from host.catalogue.endpoint_paths import endpoint_path
from host.catalogue.offering_terms import (
    AssistantFields,
    EndpointFields,
    PlanTerms,
    ServiceFields,
    checked_assistant,
    checked_endpoints,
    checked_plan,
    checked_service,
    parse_endpoint,
)
from host.errors import InvalidInput
from storage.credits import MOST, MilliCredits, format_credits
from storage.file_kinds import Accepts

UPSTREAM = "https://api.openai.com/v1"
USD = Money(500, "USD")


def assistant(**changes: object) -> AssistantFields:
    values: dict[str, object] = {
        "title": "Math Tutor",
        "description": "Explains algebra.",
        "model": "gpt-5-mini",
        "instructions": "Be patient.",
        "price": MilliCredits(5_000),
        "base_url": UPSTREAM,
        "secret_id": "s",
    }
    return AssistantFields(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("5", 5_000),
        (" 0.25 ", 250),
        ("5 credits", 5_000),
        ("1 credit", 1_000),
        ("free", 0),
        ("Free", 0),
        ("0", 0),
        ("10000", 10_000_000),
        ("0.001", 1),
    ],
)
def test_a_price_is_read_as_people_write_it(written: str, amount: int) -> None:
    assert offering_fields.price(written) == amount


@pytest.mark.parametrize(
    "written", ["-2", "lots", "1e9", "10000.001", "NaN", "", "5,5", "0.0001", "５", "credits"]
)
def test_a_refused_price_says_what_was_wrong_the_rule_and_an_example(written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        offering_fields.price(written)
    assert "0 to 10,000 credits" in refused.value.detail
    assert "for example: 5" in refused.value.detail
    assert refused.value.facts == {"field": "price"}


@given(st.integers(0, offering_fields.PRICE_MAX))
def test_every_price_in_range_reads_back_as_it_is_shown(amount: int) -> None:
    assert offering_fields.price(format_credits(amount)) == amount


@given(st.integers(offering_fields.PRICE_MAX + 1, MOST))
def test_no_price_above_the_range_is_accepted(amount: int) -> None:
    with pytest.raises(InvalidInput):
        offering_fields.price(format_credits(amount))


@pytest.mark.parametrize(
    ("written", "kept"),
    [("  Math   Tutor ", "Math Tutor"), ("Über", "Über"), ("x" * 80, "x" * 80)],
)
def test_a_title_is_one_line_without_needless_spaces(written: str, kept: str) -> None:
    assert offering_fields.title(written) == kept


@pytest.mark.parametrize("written", ["ab", "", "x" * 81, "Tu\u202etor", "Tutor\x00"])
def test_a_title_too_short_too_long_or_unseen_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="3 to 80 characters"):
        offering_fields.title(written)


def test_tags_are_lower_case_and_each_once() -> None:
    assert offering_fields.tags("Maths, #school,maths,,") == ("maths", "school")


def test_too_many_or_too_long_texts_are_refused() -> None:
    for check, written in (
        (offering_fields.tags, ",".join(map(str, range(11)))),
        (offering_fields.tags, "x" * 31),
        (offering_fields.starters, "a\nb\nc\nd\ne"),
        (offering_fields.starters, "x" * 201),
        (offering_fields.description, "x" * 501),
        (offering_fields.instructions, "x" * 32_001),
        (offering_fields.instructions, "  "),
        (offering_fields.model, "gpt 5"),
        (offering_fields.model, ""),
    ):
        with pytest.raises(InvalidInput):
            check(written)


@pytest.mark.parametrize("written", ["math-tutor", "a1", "9", "x" * 63])
def test_a_slug_is_a_dns_label(written: str) -> None:
    assert offering_fields.slug(written) == written


@pytest.mark.parametrize(
    "written", ["Math", "-a", "a-", "a.b", "a_b", "", "x" * 64, "xn--abc", "ä", "a\nb"]
)
def test_a_slug_that_is_no_dns_label_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput):
        offering_fields.slug(written)


@pytest.mark.parametrize("written", ["www", "api", "s", "a", "admin", "login"])
def test_a_reserved_slug_is_refused_with_another_to_take(written: str) -> None:
    with pytest.raises(InvalidInput, match=f"for example: {written}-1"):
        offering_fields.slug(written)


@given(st.text(max_size=100))
def test_the_slug_of_any_title_is_a_slug(title: str) -> None:
    suggested = offering_fields.slug_from(title)
    assert offering_fields.slug(suggested) == suggested


def test_the_slug_of_a_title_reads_like_it() -> None:
    assert offering_fields.slug_from("Elvis' Song Summarizer!") == "elvis-song-summarizer"
    assert offering_fields.slug_from("Admin") == "admin-1"
    assert offering_fields.slug_from("数学") == "offering"


@pytest.mark.parametrize(
    ("written", "money"),
    [
        ("5.00 USD", Money(500, "USD")),
        ("$5", Money(500, "USD")),
        ("5.5 eur", Money(550, "EUR")),
        ("€0.99", Money(99, "EUR")),
        ("700 JPY", Money(700, "JPY")),
        ("1.234 KWD", Money(1234, "KWD")),
        ("0 USD", Money(0, "USD")),
        ("$5.00 USD", Money(500, "USD")),
    ],
)
def test_an_amount_of_money_is_in_minor_units_of_its_currency(written: str, money: Money) -> None:
    assert offering_fields.money(written) == money
    assert parse_money(format_money(money.minor, money.currency)) == money


def test_money_that_was_given_back_is_below_nothing() -> None:
    assert [format_money(-5, "USD"), format_money(-700, "JPY")] == ["-0.05 USD", "-700 JPY"]


@pytest.mark.parametrize(
    "written",
    [
        "5",
        "5.001 USD",
        "700.5 JPY",
        "5 XXX",
        "-5 USD",
        "$5 EUR",
        "five USD",
        "",
        "99999999999 USD",
    ],
)
def test_an_amount_without_a_currency_that_divides_so_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match=r"for example: 5\.00 USD"):
        offering_fields.money(written)


def test_no_amount_is_larger_than_a_table_can_hold() -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_money("9999999999.999 KWD")


def test_a_plan_gives_a_number_of_credits_within_reason() -> None:
    assert offering_fields.plan_credits("100 credits") == 100_000
    assert offering_fields.plan_credits("0.5") == 500
    for written in ("0", "many", "100000001", "-1"):
        with pytest.raises(InvalidInput, match="for example: 100"):
            offering_fields.plan_credits(written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("7 days", 604_800), ("1 day", 86_400), ("12 hours", 43_200), ("2 weeks", 1_209_600)],
)
def test_a_duration_is_hours_days_or_weeks(written: str, seconds: int) -> None:
    assert offering_fields.duration(written) == seconds


@pytest.mark.parametrize("written", ["0 days", "soon", "7", "-1 days", "99999 weeks"])
def test_a_duration_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="for example: 7 days"):
        offering_fields.duration(written)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("HTTPS://API.Example.com:443/", "https://api.example.com"),
        ("https://api.example.com:8443", "https://api.example.com:8443"),
        ("https://1.1.1.1", "https://1.1.1.1"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://[2606:4700::1111]", "https://[2606:4700::1111]"),
    ],
)
def test_an_upstream_is_kept_as_its_origin(written: str, kept: str) -> None:
    assert offering_fields.upstream_url(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "http://api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "https://",
        "https://user:pw@api.example.com",
        "https://api.example.com/v1",
        "https://api.example.com?x=1",
        "https://api.example.com:0",
        "https://api.example.com:22",
        "https://api.example.com:port",
        "https://localhost",
        "https://songs.localhost",
        "https://db.internal",
        "https://intranet",
        "https://127.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://0x7f.0.0.1",
        "https://0x7f000001",
        "https://10.0.0.8",
        "https://192.168.1.1",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://0.0.0.0",
        "https://224.0.0.1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[fd00::1]",
        "https://[fe80::1]",
        "https://exa mple.com",
        "https://[::1",
        "https://-a.example",
        "https://ü..example",
        "https://api.example.com\\@10.0.0.8",
    ],
)
def test_an_upstream_that_is_not_public_https_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match=r"for example: https://api\.example\.com"):
        offering_fields.upstream_url(written)


def test_a_private_upstream_is_accepted_where_the_operator_allows_it() -> None:
    kept = offering_fields.upstream_url("http://127.0.0.1:8123", allow_private=True)
    assert kept == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("/ask", "/ask"),
        ("/", "/"),
        ("/ask/", "/ask/"),
        ("/user/:userId", "/user/{userId}"),
        ("/user/{userId}/edit", "/user/{userId}/edit"),
        ("/.well-known/(.*)", "/.well-known/(.*)"),
        ("/(.*)", "/(.*)"),
    ],
)
def test_a_path_may_name_segments_and_the_rest(written: str, kept: str) -> None:
    assert endpoint_path(written) == kept


@pytest.mark.parametrize(
    "written",
    ["ask", "", "/a//b", "/../x", "/./x", "/(.*)/x", "/a?b=1", "/a#b", "/a%2fb", "/a b",
     "/x{id}", "/{1}", "/" + "x" * 500],
)  # fmt: skip
def test_a_path_that_could_match_what_nobody_meant_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"path|segment|rest"):
        endpoint_path(written)


@pytest.mark.parametrize("written", ["GET /v1/*", "/*", "/v1/*/x"])
def test_a_star_is_refused_and_points_to_the_way_to_write_the_rest(written: str) -> None:
    with pytest.raises(InvalidInput, match=r"write \(\.\*\)"):
        parse_endpoint(written)


def test_an_endpoint_is_written_on_one_line() -> None:
    assert parse_endpoint("post /ask 1") == EndpointFields(
        method="POST", path="/ask", price=MilliCredits(1_000)
    )
    assert parse_endpoint("GET /.well-known/(.*) open").is_open
    assert parse_endpoint("/status") == EndpointFields(path="/status")


@pytest.mark.parametrize("written", ["", "POST", "POST /a 1 2", "BREW /a 1", "POST /a lots"])
def test_an_endpoint_that_cannot_be_read_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput):
        parse_endpoint(written)


@pytest.mark.parametrize("written", ["images", " Both ", "none", "DOCUMENTS"])
def test_which_files_an_assistant_accepts_is_one_of_four_words(written: str) -> None:
    assert offering_fields.accepts(written) is Accepts(written.strip().lower())


@pytest.mark.parametrize("written", ["", "everything", "images, documents"])
def test_anything_else_says_nothing_about_files(written: str) -> None:
    with pytest.raises(InvalidInput, match="none, images, documents, both"):
        offering_fields.accepts(written)


def test_an_open_endpoint_has_no_price() -> None:
    with pytest.raises(InvalidInput, match="free"):
        checked_endpoints([EndpointFields(path="/a", price=MilliCredits(1), is_open=True)])


def test_two_endpoints_that_mean_the_same_calls_are_refused() -> None:
    same = [EndpointFields(path="/user/{id}"), EndpointFields(path="/user/:name")]
    with pytest.raises(InvalidInput, match="twice"):
        checked_endpoints(same)
    checked_endpoints([*same[:1], EndpointFields(path="/user/{id}", method="POST")])


def test_a_service_without_endpoints_is_refused() -> None:
    with pytest.raises(InvalidInput, match="0 endpoints"):
        checked_endpoints([])


def test_a_plan_gives_credits_or_time() -> None:
    pack = PlanTerms(title="Pack 100", price=USD, credits=MilliCredits(100_000))
    travel = PlanTerms(title="Travel", price=USD, duration_s=604_800)
    assert checked_plan(pack) == pack
    assert checked_plan(travel) == travel
    with pytest.raises(InvalidInput, match="neither credits nor time"):
        checked_plan(PlanTerms(title="Nothing", price=USD))


@pytest.mark.parametrize(
    "terms",
    [
        PlanTerms(title="Pack", price=Money(-1, "USD"), credits=MilliCredits(1)),
        PlanTerms(title="Pack", price=Money(1, "XXX"), credits=MilliCredits(1)),
        PlanTerms(title="Pack", price=USD, credits=MilliCredits(-1)),
        PlanTerms(title="Pack", price=USD, credits=MilliCredits(1), duration_s=0),
        PlanTerms(title="Pack", price=USD, credits=MilliCredits(1), slug="Not A Slug"),
    ],
)
def test_a_plan_with_terms_that_mean_nothing_is_refused(terms: PlanTerms) -> None:
    with pytest.raises(InvalidInput):
        checked_plan(terms)


def test_an_assistant_that_was_checked_stays_as_it_is() -> None:
    once = checked_assistant(assistant(title=" Math  Tutor", tags=("A",)), upstreams=(UPSTREAM,))
    assert (once.title, once.tags) == ("Math Tutor", ("a",))
    assert checked_assistant(once, upstreams=(UPSTREAM,)) == once


@pytest.mark.parametrize(
    "changes",
    [{"base_url": "https://evil.example"}, {"price": MilliCredits(-1)}, {"provider": "magic"}],
)
def test_an_assistant_outside_what_this_host_allows_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        checked_assistant(assistant(**changes), upstreams=(UPSTREAM,))


def test_a_service_that_was_checked_stays_as_it_is() -> None:
    fields = ServiceFields(
        title="Songs",
        description="",
        price=MilliCredits(1_000),
        upstream_url="https://songs.example.com/",
    )
    once = checked_service(fields, allow_private=False)
    assert once.upstream_url == "https://songs.example.com"
    assert checked_service(once, allow_private=False) == once
