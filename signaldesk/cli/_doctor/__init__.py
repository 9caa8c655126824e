"""What `signaldesk doctor` looks at: everything that a deployment gets wrong, each with its mend."""
