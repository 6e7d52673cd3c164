#!/usr/bin/env python3
"""Turns documentation packages of Debian into documents, one JSON line a section.

    apt-get download debian-handbook git-doc ...
    for file in *.deb; do dpkg-deb -x "$file" "unpacked/${file%%_*}"; done
    python3 debian_prose.py unpacked out

writes out/PACKAGE.jsonl for every directory of `unpacked`, with {"id", "text"} a line. A page of HTML is cut at its
headings of the first two levels; a section below 400 characters goes to the one before it. Navigation, scripts and
signs that link to a heading are left out, code is fenced, rows of tables begin with a bar. Standard library only;
files in the order of their paths, so the same packages give the same bytes.
"""

import json
import pathlib
import re
import sys
from html.parser import HTMLParser

SECTION_CHARACTERS_MIN = 400
PAGE_BYTES_MAX = 16 * 1024 * 1024
LEFT_OUT = {"script", "style", "nav", "footer", "head", "svg", "form", "noscript"}
LEFT_OUT_CLASSES = re.compile(
    r"(^|\b)(nav(header|footer|igation)?|headerlink|sphinxsidebar|related|wy-nav-side|wy-side-scroll|rst-footer-buttons|"
    r"footer|toc|toctree-wrapper|breadcrumbs|document_head|docnav|linkheader|linkfooter|langs|toplang|bottomlang|qv)(\b|$)"
)
BLOCKS = {"p", "div", "section", "article", "main", "table", "ul", "ol", "dl", "blockquote", "figure", "body"}
VOID = {"br", "hr", "img", "meta", "link", "input", "col", "area", "base", "wbr", "source", "embed", "track", "param"}


class Page(HTMLParser):
    """The running text of a page, as sections."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.sections = [""]
        self.line = ""
        self.open = []
        self.left_out = 0
        self.code = 0

    def end_line(self, blank=False):
        line = self.line if self.code else " ".join(self.line.split())
        if line.strip() not in ("", "-", "|"):
            self.sections[-1] += line.rstrip() + "\n"
        self.line = ""
        if blank and not self.sections[-1].endswith("\n\n") and self.sections[-1]:
            self.sections[-1] += "\n"

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            if tag in ("br", "hr") and not self.left_out:
                self.end_line()
            return
        values = dict(attributes)
        marks = f"{values.get('class') or ''} {values.get('id') or ''} {values.get('role') or ''}"
        out = tag in LEFT_OUT or bool(LEFT_OUT_CLASSES.search(marks)) and tag not in ("body", "html", "h1", "h2")
        self.open.append((tag, out))
        self.left_out += out
        if self.left_out:
            return
        if tag in ("h1", "h2"):
            self.end_line(blank=True)
            self.sections.append("")
            self.line = "# " if tag == "h1" else "## "
        elif tag in ("h3", "h4", "h5", "h6"):
            self.end_line(blank=True)
            self.line = "### "
        elif tag == "li" or tag == "dt":
            self.end_line()
            self.line = "- "
        elif tag == "pre":
            self.end_line(blank=True)
            self.code += 1
            if self.code == 1:
                self.sections[-1] += "```\n"
        elif tag == "tr":
            self.end_line()
            self.line = "| "
        elif tag in ("td", "th") and self.line.strip() not in ("", "|"):
            self.line += " | "
        elif tag in BLOCKS and not self.in_row():
            self.end_line(blank=True)

    def in_row(self):
        return any(tag in ("tr", "li", "dt") for tag, _ in self.open[-4:])

    def handle_endtag(self, tag):
        while self.open:
            last, out = self.open.pop()
            self.left_out -= out
            if not self.left_out and not out:
                self.end(last)
            if last == tag:
                return

    def end(self, tag):
        if tag == "pre":
            self.end_line()
            self.code -= 1
            if self.code == 0:
                self.sections[-1] += "```\n\n"
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.end_line(blank=True)
        elif tag in BLOCKS and not self.in_row() or tag in ("li", "dt", "dd", "tr"):
            self.end_line(blank=tag in ("p", "ul", "ol", "dl", "table"))

    def handle_data(self, data):
        if self.left_out:
            return
        if not self.code:
            self.line += data
            return
        lines = data.split("\n")
        for line in lines[:-1]:
            self.line += line
            self.sections[-1] += self.line.rstrip() + "\n"
            self.line = ""
        self.line += lines[-1]

    def documents(self):
        self.end_line()
        kept = []
        for section in self.sections:
            section = re.sub(r"\n{3,}", "\n\n", section.replace("\u00b6", "")).strip()
            if not section:
                continue
            if kept and len(section) < SECTION_CHARACTERS_MIN:
                kept[-1] += "\n\n" + section
            else:
                kept.append(section)
        return [section for section in kept if len(section) >= SECTION_CHARACTERS_MIN]


def text_of(path):
    data = path.read_bytes()[:PAGE_BYTES_MAX]
    named = re.search(rb"charset=[\"']?([A-Za-z0-9_-]+)", data[:2048])
    encoding = named.group(1).decode() if named else "utf-8"
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return data.decode("utf-8", "replace")


def main():
    unpacked, out = map(pathlib.Path, sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    for package in sorted(path for path in unpacked.iterdir() if path.is_dir()):
        count = 0
        with open(out / f"{package.name}.jsonl", "w", encoding="utf-8") as lines:
            for path in sorted(package.rglob("*.html")):
                if not path.is_file() or path.is_symlink():
                    continue
                page = Page()
                page.feed(text_of(path))
                page.close()
                place = path.relative_to(package).as_posix().removeprefix("usr/share/").removeprefix("doc/")
                for number, text in enumerate(page.documents()):
                    line = {"id": f"{place}#{number}", "text": text}
                    lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                    count += 1
        print(f"{package.name}: {count} documents")


if __name__ == "__main__":
    main()
