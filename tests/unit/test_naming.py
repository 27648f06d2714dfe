"""Names that others must not be able to work out."""

from host.runs.naming import Naming


def test_an_upstream_can_tell_subscribers_apart_and_nobody_can_count_them() -> None:
    ours, theirs = Naming(b"a" * 32), Naming(b"b" * 32)
    assert ours.subscriber(1) == ours.subscriber(1)
    names = {ours.subscriber(1), ours.subscriber(2), theirs.subscriber(1), theirs.subscriber(2)}
    assert len(names) == 4
    assert all(len(name) == 64 for name in names)  # as long as upstreams take
