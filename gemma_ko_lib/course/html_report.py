"""Writes report.html: a run of the course as one page, without a server or other files."""

import dataclasses
import datetime
import re
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import nbformat

from gemma_ko_lib.course.recording import format_number, readable_name
from gemma_ko_lib.runtime import write_whole

if TYPE_CHECKING:
    from gemma_ko_lib.course import CourseResult
    from gemma_ko_lib.course.execution import NotebookResult

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$", re.MULTILINE)
_CODE_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

_STATUS = {"timeout": "stopped at its time limit"}


@dataclasses.dataclass
class _Plot:
    caption: str
    png: str
    alt: str


@dataclasses.dataclass
class _Page:
    result: "NotebookResult"
    title: str
    plots: list[_Plot]
    failing_heading: str = ""

    @property
    def anchor(self) -> str:
        """Where the failing cell stands in the report."""
        return f"{self.result.name}-cell-{self.result.failing_cell or 0}"


def write_report(course: "CourseResult") -> None:
    """Write report.html: a verdict and a summary, then each notebook's figures, plots and error."""
    filters = {
        "number": format_number,
        "readable": readable_name,
        "date": _date,
        "machine": _machine,
        "status": lambda status: _STATUS.get(status, status),
        "seconds": _seconds,
        "memory": _memory,
    }
    pages = [_page(result) for result in course.notebooks]
    page = fill_page("course.html", filters, course=course, pages=pages, versions=course.versions)
    write_whole(course.report_path, page)


def fill_page(template: str, filters: dict | None = None, **values) -> str:
    """Render one of the templates, whose blocks `title`, `style` and `body` fill frame.html.

    The frame brings the head, the style and, where `versions` are given, what was installed.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, loader=loader)
    environment.filters.update(filters or {})
    return environment.get_template(template).render(values)


def _page(result: "NotebookResult") -> _Page:
    """Collect a notebook's plots, each under the heading of its section."""
    page = _Page(result, result.name, [])
    if not result.executed_path.exists():
        return page
    heading = result.name
    for cell in nbformat.read(result.executed_path, as_version=4).cells:
        if cell.cell_type == "markdown":
            # A comment in a fenced code block starts with # as well.
            for level, text in _HEADING.findall(_CODE_FENCE.sub("", cell.source)):
                heading = text
                if level == "#" and page.title == result.name:
                    page.title = text
        elif cell.source == result.failing_source:
            page.failing_heading = heading
        for output in cell.get("outputs", []):
            png = output.get("data", {}).get("image/png")
            if png:
                alt = output.metadata.get("image/png", {}).get("alt", heading)
                page.plots.append(_Plot(heading, "".join(png.split()), alt))
    return page


def _date(iso: str) -> str:
    moment = datetime.datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%B %Y, %H:%M %Z}"


def _machine(course: "CourseResult") -> str:
    machine = course.machine
    devices = [notebook.device for notebook in course.notebooks if notebook.device]
    others = {f"{d['count']} × {d['name']}" for d in devices if d["kind"] != "cpu"}
    memory = f"{machine['memory_bytes'] / 1e9:.0f} GB" if machine["memory_bytes"] else ""
    return ", ".join(filter(None, [*others, machine["processor"], memory, machine["platform"]]))


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def _memory(peak: int | None) -> str:
    return "not measured" if peak is None else f"{peak / 1e9:,.1f} GB"
