"""HTTP: one Tornado server for the API, the sockets, the forms and the pages of `apps/`."""
