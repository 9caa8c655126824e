"""From the bytes of an HTTP body to the stream: read, check, give ids, append. No web framework in here.

`envelope` reads the forms a body may have, `check` judges one event, `appender` gathers appends into shared
round trips, `intake` puts them together, `server` is the lean HTTP server of the ingest process.
"""
