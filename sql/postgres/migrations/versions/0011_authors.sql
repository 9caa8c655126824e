-- Who wrote a version of a rule, by name: API keys and command lines have no user.

ALTER TABLE rule_versions ADD COLUMN author TEXT DEFAULT '' NOT NULL;
