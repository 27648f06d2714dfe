"""The command `farebox`: its nouns and verbs, as listed in docs/operating.md."""

import typer

from farebox.commands import (
    backups,
    books,
    catalogue,
    concerns,
    corrections,
    people,
    purchases,
    reports,
    running,
)

app = typer.Typer(
    name="farebox",
    help="A self-hosted host for paid assistants: chat, credits, and a metered proxy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its frames can show local variables, and so secrets
    add_completion=False,
)
app.command()(running.demo)
app.command()(running.serve)
app.command()(running.doctor)
app.command()(people.grant)
app.command()(corrections.revoke)
app.command()(corrections.refund)
app.add_typer(running.config, name="config")
app.add_typer(books.db, name="db")
app.add_typer(people.accounts, name="account")
app.add_typer(catalogue.plans, name="plan")
app.add_typer(catalogue.offerings, name="offering")
app.add_typer(purchases.orders, name="order")
app.add_typer(purchases.vouchers, name="voucher")
app.add_typer(people.tokens, name="token")
app.add_typer(concerns.reports, name="report")
app.add_typer(books.ledger, name="ledger")
app.add_typer(backups.backups, name="backup")
books.ledger.command("statement")(reports.tell_statement)
catalogue.plans.command("earnings")(reports.tell_earnings)


def main() -> None:
    """Run the command line."""
    app()
