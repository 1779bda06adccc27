"""AWS on a laptop, without Docker: what `make run`, `make bench` and the tests of the deployed shape are made of."""
