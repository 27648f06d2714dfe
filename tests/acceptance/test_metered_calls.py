"""Programs that call through the meter, as `curl` would."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess, farebox

SONGS = "elvis-song-summarizer"


@pytest.fixture
def caller(demo: ServerProcess, demo_dir: Path) -> Iterator["Caller"]:
    """A new subscriber whose wallet the test fills."""
    with httpx.Client(base_url=demo.address, timeout=30) as client:
        yield Caller(client, demo_dir)


class Caller:
    """One subscriber with access tokens."""

    def __init__(self, client: httpx.Client, data_dir: Path) -> None:
        self.client = client
        self.email = f"{uuid4().hex}@example.com"
        self._data_dir = data_dir
        self.run("account", "create", self.email, "--role", "subscriber")

    def run(self, *arguments: str) -> str:
        """A `farebox` command beside the running server."""
        done = farebox(*arguments, data_dir=self._data_dir)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def give(self, credits_: str) -> None:
        """Put credits of Pack 100 in the wallet."""
        self.run("grant", self.email, "pack-100", "--credits", credits_)

    def bearer(self, offering: str) -> dict[str, str]:
        """The header that lets this subscriber in."""
        encoded = self.run("token", "create", self.email, offering)
        return {"Authorization": f"Bearer {encoded}"}

    def query(self, headers: dict[str, str], words: str = "rain") -> httpx.Response:
        """Call the sample service."""
        return self.client.post(f"/s/{SONGS}/query", json={"query": words}, headers=headers)


def test_a_call_is_charged_once_and_says_so(caller: Caller) -> None:
    caller.give("3")
    answer = caller.query(caller.bearer(SONGS))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Farebox-Credits-Charged"] == "1"
    assert answer.headers["Farebox-Credits-Remaining"] == "2"
    assert answer.headers["Farebox-Receipt"]


def test_without_credits_the_call_is_refused_with_what_to_do(caller: Caller) -> None:
    caller.give("1")
    headers = caller.bearer(SONGS)
    assert caller.query(headers).status_code == 200
    refused = caller.query(headers)
    assert refused.status_code == 402
    assert refused.json()["code"] == "credits_exhausted"
    assert refused.json()["required"] == 1
    assert "topup_url" in refused.json()


def test_a_wrong_access_token_is_refused(caller: Caller) -> None:
    refused = caller.query({"Authorization": "Bearer not-an-access-token"})
    assert refused.status_code == 401
    assert refused.json()["code"] == "invalid_token"
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_failing_upstream_passes_through_and_charges_nothing(caller: Caller) -> None:
    caller.give("3")
    headers = caller.bearer(SONGS)
    failed = caller.query(headers, "/error")
    assert failed.status_code == 500
    assert "Farebox-Receipt" not in failed.headers
    assert caller.query(headers).headers["Farebox-Credits-Remaining"] == "2"


def test_an_assistant_answers_through_ask_and_remembers_its_thread(caller: Caller) -> None:
    caller.give("10")
    headers = caller.bearer("math-tutor")
    ask = "/s/math-tutor/ask"
    first = caller.client.post(ask, json={"message": "What is 17 * 23?"}, headers=headers)
    assert first.status_code == 200, first.text
    assert "391" in first.json()["answer"]
    assert (first.json()["credits_charged"], first.json()["credits_remaining"]) == (5, 5)
    failed = caller.client.post(ask, json={"message": "/error"}, headers=headers)
    assert (failed.status_code, failed.json()["code"]) == (502, "upstream_failed")
    second = {"message": "What did I ask before?", "thread_id": first.json()["thread_id"]}
    answer = caller.client.post(ask, json=second, headers=headers)
    assert "17 * 23" in answer.json()["answer"]
    assert answer.json()["credits_remaining"] == 0
    refused = caller.client.post(ask, json={"message": "More?"}, headers=headers)
    assert refused.status_code == 402


@pytest.mark.parametrize("path", [f"/s/{SONGS}/query", "/s/math-tutor/ask"])
def test_of_twenty_at_once_exactly_those_are_served_that_can_be_paid(
    caller: Caller, path: str
) -> None:
    is_ask = path.endswith("/ask")
    caller.give("35" if is_ask else "7")
    headers = caller.bearer("math-tutor" if is_ask else SONGS)
    body = {"message": "What is 2 + 2?"} if is_ask else {"query": "rain"}

    def call(_: int) -> int:
        return caller.client.post(path, json=body, headers=headers).status_code

    with ThreadPoolExecutor(20) as threads:
        answers = sorted(threads.map(call, range(20)))
    assert answers == [200] * 7 + [402] * 13
