"""From outside: a real server in its own process, a real browser, a real crash."""
