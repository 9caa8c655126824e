"""The example of `up --demo`: an organisation with rules and a channel, and a shop that never sleeps."""
