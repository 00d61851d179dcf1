"""Writes report.html: a run of the course as one page, without a server or other files."""

import dataclasses
import datetime
import re
from typing import TYPE_CHECKING

import jinja2
import nbformat

from gemma_ko_lib.course.recording import format_number, readable_name
from gemma_ko_lib.runtime import whole_file

if TYPE_CHECKING:
    from gemma_ko_lib.course import CourseResult
    from gemma_ko_lib.course.execution import NotebookResult

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$", re.MULTILINE)
_CODE_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

_STATUS = {"timeout": "stopped at its time limit"}

_STYLE = """\
:root { color-scheme: light dark; --text: #1c1f23; --soft: #5b6470; --line: #d9dde2;
        --page: #ffffff; --panel: #f5f6f8; --good: #0b6b4f; --bad: #b3261e; --link: #00588f; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e7e9ec; --soft: #a3abb5; --line: #3a4048; --page: #16181b;
          --panel: #1f2226; --good: #5fd0a5; --bad: #ff8a80; --link: #7cc0f2; } }
body { max-width: 62rem; margin: 2.5rem auto; padding: 0 1.5rem; color: var(--text);
       background: var(--page); font: 1.125rem/1.55 system-ui, "Apple SD Gothic Neo",
       "Malgun Gothic", "Noto Sans KR", "Noto Sans CJK KR", NanumGothic, sans-serif; }
h1 { font-size: 2rem; margin: 0 0 .25rem; }
h2 { font-size: 1.5rem; margin: 3rem 0 .5rem; padding-top: 1rem;
     border-top: 1px solid var(--line); }
p.about { color: var(--soft); margin: .25rem 0 1.5rem; }
a { color: var(--link); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .8rem .4rem 0; text-align: left; border-bottom: 1px solid var(--line);
         vertical-align: baseline; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
.failed a, .timeout a { color: inherit; }
.ok { color: var(--good); } .failed, .timeout { color: var(--bad); font-weight: 600; }
.note { color: var(--soft); }
figure { margin: 1.75rem 0; }
figure img { max-width: 100%; box-sizing: border-box; background: #fff;
             padding: .5rem; border-radius: .4rem; border: 1px solid var(--line); }
figcaption { color: var(--soft); margin-top: .35rem; }
p.verdict { font-size: 1.4rem; margin: .75rem 0 .25rem; }
.error { scroll-margin-top: 1rem; } .error:target pre { outline: 2px solid var(--bad); }
pre { background: var(--panel); border-left: 4px solid var(--bad); padding: .8rem 1rem;
      overflow-x: auto; font-size: .9rem; line-height: 1.45; }
@media (max-width: 40rem) {
  body { padding: 0 .75rem; font-size: 1rem; }
  th, td { padding-right: .5rem; font-size: .9rem; } }
"""

_FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %}</title>
<style>
{{ style }}{% block style %}{% endblock %}</style>
</head>
<body>
{% block body %}{% endblock %}
{% if versions %}<h2>Versions</h2>
<p class="about">{% for name, version in versions.items() %}{{ name }} {{ version }}
{{- ", " if not loop.last }}{% endfor %}</p>
{% endif %}
</body>
</html>
"""

_PAGE = """\
{% extends "frame" %}
{% block title %}Gemma-Ko course: {{ course.profile }}, {{ course.started }}{% endblock %}
{% block body %}
<h1>Gemma-Ko course</h1>
{% set failed = pages | rejectattr("result.status", "equalto", "ok") | list %}
{% if failed %}
<p class="verdict failed">{{ failed | length }} of {{ pages | length }} notebooks did not run to
their end:</p>
<ul>{% for page in failed %}<li><a href="#{{ page.anchor }}">{{ page.title }}</a>:
{{ page.result.status | status }}{% if page.result.failing_cell %} in cell
[{{ page.result.failing_cell }}]{% endif %}</li>
{% endfor %}</ul>
{% else %}
<p class="verdict ok">{{ "The notebook" if pages | length == 1 else
"All %d notebooks" % (pages | length) }} ran to {{ "its" if pages | length == 1 else "their" }}
end, every check passed.</p>
{% endif %}
<p class="about">{{ course.started | date }} ·
gemma-ko {{ course.versions["gemma-ko"] }} · profile <b>{{ course.profile }}</b> ·
{{ course | machine }}</p>

<div class="scroll"><table>
<thead><tr><th>Notebook</th><th>Status</th><th class="number">Time</th>
<th class="number">Peak memory</th><th class="number">Figures</th></tr></thead>
<tbody>
{% for page in pages %}<tr><td><a href="#{{ page.result.name }}">{{ page.title }}</a></td>
<td class="{{ page.result.status }}">{% if page.result.error %}
<a href="#{{ page.anchor }}">{{ page.result.status | status }}</a>{% else %}
{{- page.result.status | status }}{% endif %}</td>
<td class="number">{{ page.result.seconds | seconds }}</td>
<td class="number">{{ page.result.peak_memory_bytes | memory }}</td>
<td class="number">{{ page.result.metrics | length }}</td></tr>
{% endfor %}</tbody></table></div>

{% for page in pages %}
<section id="{{ page.result.name }}">
<h2>{{ page.title }}</h2>
<p class="about"><a href="{{ page.result.executed_path.name }}">
{{- page.result.executed_path.name }}</a>:
<span class="{{ page.result.status }}">{{ page.result.status | status }}</span>,
{{ page.result.seconds | seconds }}, peak memory {{ page.result.peak_memory_bytes | memory }}</p>
{% if page.result.error %}
<div id="{{ page.anchor }}" class="error">
{% if page.result.failing_cell %}<p>In cell [{{ page.result.failing_cell }}], under
“{{ page.failing_heading }}”:</p>
<pre>{{ page.result.failing_source }}</pre>{% endif %}
<pre>{{ page.result.error }}</pre>
<p>What the cells before it did is in {{ page.result.executed_path.name }}; open it with
<code>jupyter lab</code>.</p>
</div>
{% endif %}
{% if page.result.metrics %}
<div class="scroll"><table>
<thead><tr><th>Figure</th><th class="number">Value</th><th>Unit</th><th>Note</th></tr></thead>
<tbody>
{% for name, metric in page.result.metrics.items() %}<tr>
<td title="{{ name }}">{{ name | readable }}</td>
<td class="number">{{ metric.value | number }}</td><td>{{ metric.unit }}</td>
<td class="note">{{ metric.note }}</td></tr>
{% endfor %}</tbody></table></div>
{% endif %}
{% for plot in page.plots %}
<figure><img src="data:image/png;base64,{{ plot.png }}" alt="{{ plot.caption }}">
<figcaption>{{ plot.caption }}</figcaption></figure>
{% endfor %}
</section>
{% endfor %}
{% endblock %}
"""


@dataclasses.dataclass
class _Plot:
    caption: str
    png: str


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
    page = fill_page(_PAGE, filters, course=course, pages=pages, versions=course.versions)
    with whole_file(course.report_path) as file:
        file.write(page)


def fill_page(template: str, filters: dict | None = None, **values) -> str:
    """Render a Jinja template whose blocks `title`, `style` and `body` fill the course's frame.

    The frame brings the head, the style and, where `versions` are given, what was installed.
    """
    loader = jinja2.DictLoader({"frame": _FRAME})
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, loader=loader)
    environment.filters.update(filters or {})
    return environment.from_string(template).render(style=_STYLE, **values)


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
                page.plots.append(_Plot(heading, "".join(png.split())))
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
