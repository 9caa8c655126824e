"""People and programs: users, memberships, roles, sessions, API keys; who may do what."""
