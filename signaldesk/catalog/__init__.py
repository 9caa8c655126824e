"""What an organisation has set up: its rules and channels; checked, saved, announced."""
