"""From the bytes of an HTTP body to the stream: read, check, give ids, append. No web framework in here.

`envelope` reads the forms a body may have, `plain` takes batches in which nothing is out of the ordinary,
`check` judges one event and says what is wrong with it, `appender` gathers appends into shared round trips,
`intake` puts them together, `server` is the lean HTTP server of the ingest process.
"""
