"""The delivery room with a real Postgres and a real HTTP server."""
