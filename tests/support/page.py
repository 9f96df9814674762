"""Reading a report's page back: its sections, tables and cards as text, and every tag that it has."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "line", "polygon", "polyline", "br", "img", "input", "rect"}


class Page(HTMLParser):
    """``tables`` are rows by section and title, ``cards`` what a card says by section and label, ``texts`` all that a section
    says. Fails on tags that are not closed in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, dict[str, list[list[str]]]] = {}
        self.cards: dict[str, dict[str, list[str]]] = {}
        self.texts: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._section = "header"
        self._title = ""
        self._said: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, self._open
        self.texts = {section: " ".join(said.split()) for section, said in self.texts.items()}

    def rows(self, section: str, title: str = "") -> dict[str, list[str]]:
        """Cells of a table by the row's label."""
        return {row[0]: row[1:] for row in self.tables[section][title][1:]}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self._title = ""
        if tag in {"h3", "summary"}:
            self._title = ""
        if tag == "div" and dict(attrs).get("class", "").startswith("block"):
            self._title = ""
        if tag == "table":
            self.tables.setdefault(self._section, {})[self._title] = []
        if tag == "tr":
            self.tables[self._section][self._title].append([])
        if tag in {"th", "td", "dt", "dd"}:
            self._said = []
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open.pop() == tag, tag
        said = " ".join("".join(self._said).split())
        if tag in {"th", "td"}:
            self.tables[self._section][self._title][-1].append(said)
        if tag == "dt":
            self._label = said
            self.cards.setdefault(self._section, {})[said] = []
        if tag == "dd":
            self.cards[self._section][self._label].append(said)

    def handle_data(self, data: str) -> None:
        self._said.append(data)
        if "h3" in self._open or "summary" in self._open:
            self._title += data.strip()
        self.texts[self._section] = self.texts.get(self._section, "") + data
