"""Takes notifications out of the outbox and brings them to people, however often that takes."""
