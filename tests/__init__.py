"""SignalDesk's tests; `make test` runs them all."""
