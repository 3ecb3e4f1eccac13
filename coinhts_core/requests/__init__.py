"""Requests: what people ask for, judged, furnished, queued, and answered once."""
