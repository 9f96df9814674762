"""What a configuration may say of the ``sensors_data`` transformer."""

from __future__ import annotations

from streaming_app.config.section import Section


class SensorsOptions(Section):
    ids_by_request: tuple[str, ...] = ("Android",)
    """SDKs (``lib.$lib``) whose events get the reference system's id: request id, position in the payload and distinct id. What
    they send again is another event then. All other ids are made of the message: sent again, it is the same."""
