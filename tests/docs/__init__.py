"""The documentation is tested like code: what it shows parses, what it says to type works, and nothing that
there is stays undocumented.

`pages` reads Markdown, `generated` writes the tables that come from the code, `shell` runs commands.
"""
