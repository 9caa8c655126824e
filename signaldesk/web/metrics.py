"""What the web server counts, in Prometheus's format. Labels are routes, never paths or organisations."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from tornado.web import RequestHandler

from signaldesk.log import get_logger

log = get_logger(__name__)

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class WebMetrics:
    """Registered once in the process's registry."""

    def __init__(self, registry: CollectorRegistry, *, watching: Callable[[], int]) -> None:
        self._requests = Counter(
            "signaldesk_http_requests", "Requests answered", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "signaldesk_http_request_seconds",
            "From the request's head to the end of the answer",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=registry,
        )
        watchers = Gauge("signaldesk_live_watchers", "Open pages and sockets", registry=registry)
        watchers.set_function(watching)

    def observe(self, handler: RequestHandler) -> None:
        """Tornado's `log_function`: called when an answer is finished."""
        request = handler.request
        route = getattr(handler, "route_name", type(handler).__name__)
        method = request.method if request.method in handler.SUPPORTED_METHODS else "other"
        self._requests.labels(route, method, handler.get_status()).inc()
        self._seconds.labels(route, method).observe(request.request_time())
        log.debug(
            "answered",
            request=getattr(request, "signaldesk_id", None),
            method=request.method,
            route=route,
            status=handler.get_status(),
            ms=round(request.request_time() * 1000, 2),
        )
