"""What organisations set up, in a real Postgres."""
