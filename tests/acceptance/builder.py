"""A builder who registers and publishes an assistant by talking to the setup bot."""

from playwright.sync_api import expect

from tests.acceptance.browser import Person


def publish_assistant(bea: Person, *, title: str, key: str, plan: str) -> str:
    """Answer every question, enter the key in the masked form, test, publish. Returns the slug."""
    bea.choose("setup-bot")
    expect(bea.answers.last).to_contain_text("Step 1 of 13")
    bea.page.get_by_role("button", name="An assistant").last.click()
    expect(bea.answers.last).to_contain_text("Step 2 of 13")
    for answer, next_step in (
        (title, "Step 3 of 13"),
        ("Writes short poems about anything.", "Step 4 of 13"),
        ("poems, fun", "Step 5 of 13"),
        ("gpt-6-luna", "Step 6 of 13"),
        ("You write short, kind poems.", "Step 7 of 13"),
    ):
        expect(bea.ask(answer)).to_contain_text(next_step)
    field = bea.page.locator('input[type="password"]').last
    field.fill(key)
    bea.page.get_by_role("button", name="Check and store").last.click()
    expect(bea.answers.last).to_contain_text("Step 8 of 13")
    expect(bea.answers.last).to_contain_text(f"ends …{key[-4:]}")
    expect(bea.ask("A poem about rain")).to_contain_text("Step 9 of 13")
    bea.page.get_by_role("button", name="Skip").last.click()
    expect(bea.answers.last).to_contain_text("Step 10 of 13")
    expect(bea.ask("3 credits")).to_contain_text("Step 11 of 13")
    for answer in [plan] if plan else ["create one", "Poem pack", "5 USD", "100 credits"]:
        bea.ask(answer)
    expect(bea.answers.last).to_contain_text("100 credits = 33 messages")
    bea.page.get_by_role("button", name="Test", exact=True).last.click()
    expect(bea.page.get_by_text("Tested: it answers").last).to_be_visible()
    bea.settled()
    bea.page.get_by_role("button", name="Publish", exact=True).last.click()
    link = bea.page.locator('a[href*="/a/"]').last
    expect(link).to_be_visible()
    return str(link.get_attribute("href")).rpartition("/")[2]


def publish_service(bea: Person, *, document: str, credential: str) -> tuple[str, list[str]]:
    """Import a service's document, look at its operations, try it, publish.

    Returns the slug, and what was typed; buttons and the form are no messages.
    """
    typed: list[str] = []

    def answer(text: str, then: str) -> None:
        typed.append(text)
        expect(bea.ask(text)).to_contain_text(then)

    def press(name: str) -> None:
        """By the keyboard: while the page scrolls to what was said, a pointer may miss."""
        bea.page.get_by_role("button", name=name, exact=True).last.press("Enter")

    bea.choose("setup-bot")
    expect(bea.answers.last).to_contain_text("Step 1 of 13")
    press("A service")
    expect(bea.answers.last).to_contain_text("Step 2 of 12")
    answer(document, "POST /upsert · off (writes)")
    expect(bea.answers.last).to_contain_text("DELETE /delete/{id} · off (deletes)")
    expect(bea.answers.last).to_contain_text("GET /.well-known/(.*) · open, free")
    press("These are right")
    expect(bea.answers.last).to_contain_text("Tags")
    answer("songs", "Credential")
    field = bea.page.locator('input[type="password"]').last
    field.fill(credential)
    press("Store")
    expect(bea.answers.last).to_contain_text("How many credits does one call cost?")
    answer("2", "On which of your plans")
    for text in ("create one", "Song pack", "4 USD"):
        answer(text, "part")
    answer("100 credits", "Step 11 of 12")
    expect(bea.page.locator('[data-farebox="draft-review"]').last).to_contain_text(
        "100 credits = 50 calls"
    )
    answer('test: POST /query {"query": "rain"}', "Step 11 of 12")
    expect(bea.page.get_by_text("it answered 200, application/json").last).to_be_visible()
    press("Publish")
    proxy = bea.page.get_by_text("Proxy URL:").last
    expect(proxy).to_be_visible()
    return proxy.inner_text().rpartition("/s/")[2].strip(), typed
