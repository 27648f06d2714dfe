"""A server that speaks OpenAI's wire from a script: the demo's upstream, the tests' far edge."""
