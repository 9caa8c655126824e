"""The commands of `signaldesk rules` that work with files."""
