"""What our HTML pages may load and do: the content security policy."""

from __future__ import annotations


def content_policy(nonce: str) -> str:
    """Everything from ourselves; scripts also with this answer's nonce.

    Styles are allowed inline because Bokeh puts them into shadow roots; no script ever is, nor any `eval`.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
