"""SignalDesk: event analytics and alerting."""
