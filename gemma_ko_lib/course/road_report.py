"""Writes report.json and report.html of a road: before and after, and what it cost."""

import base64
import io
import json
from pathlib import Path

import numpy as np

from gemma_ko_lib import course, plotting
from gemma_ko_lib.course.html_report import fill_page
from gemma_ko_lib.runtime import printable, whole_file

_STATIONS = {
    "base": "as it was",
    "vocabulary": "other vocabulary, not trained",
    "pretrain": "pre-trained further",
    "finetune": "fine-tuned",
}

_PAGE = """\
{% extends "frame" %}
{% block title %}The road of {{ road.model }}, {{ road.date }}{% endblock %}
{% block style %}
pre { border-left-color: var(--line); }
td.number { white-space: normal; }
td.talk { width: 45%; white-space: pre-wrap; overflow-wrap: anywhere; }
{% endblock %}
{% block body %}
<h1>The road of {{ road.model }}</h1>
{% set text = road.bits_per_byte | first %}
{% if text %}{% set stations = road.bits_per_byte[text].stations %}
<p class="verdict">Bits per byte of {{ text }} texts: {{ "%.3f" | format(stations.base[0]) }} →
{{ "%.3f" | format(stations[road.stations[-1]][0]) }}.</p>
{% endif %}
<p class="about">{{ road.date }} · gemma-ko {{ versions["gemma-ko"] }} ·
{{ road.machine.processor }}, {{ road.machine.platform }} ·
{% for name, count in road.tokens.items() %}{{ name }} {{ "{:,}".format(count) }} tokens ·
{% endfor %}
{{ "%.2f" | format(road.hours) }} h{% if road.cost is not none %} ·
{{ "%.2f" | format(road.cost) }} {{ road.currency }} at
{{ road.hourly_rate }} {{ road.currency }} an hour{% endif %}</p>

{% if road.bits_per_byte %}
<h2>Bits per byte</h2>
<p class="about">Lower is better; 95% interval over documents. The change goes from the untouched
model to the end of the road, over the same documents: an interval without 0 is a difference.</p>
<div class="scroll"><table>
<thead><tr><th>Text</th>{% for station in road.stations %}<th class="number">
{{- names[station] }}</th>{% endfor %}<th class="number">Change</th></tr></thead>
<tbody>{% for text, found in road.bits_per_byte.items() %}<tr>
<td>{{ text }} <span class="note">{{ found.documents }} documents</span></td>
{% for station in road.stations %}<td class="number">{{ found.stations[station] | bits }}</td>
{% endfor %}<td class="number">{{ found.change | change("%+.3f") }}</td></tr>
{% endfor %}</tbody></table></div>
<figure><img src="data:image/png;base64,{{ picture }}"
alt="Bits per byte of each text at each station of the road, with intervals">
<figcaption>Bits per byte along the road</figcaption></figure>
{% endif %}

{% if road.questions %}
<h2>Questions</h2>
<p class="about">Share of right answers; 95% interval. The last column is what models without the
skill get: an accuracy inside it says nothing.</p>
<div class="scroll"><table>
<thead><tr><th>Suite</th><th class="number">Items</th><th class="number">Before</th>
<th class="number">After</th><th class="number">Change</th>
<th class="number">Without the skill</th></tr></thead>
<tbody>{% for name, found in road.questions.items() %}<tr><td>{{ name }}</td>
<td class="number">{{ found["items"] }}</td>
<td class="number">{{ found.before | share }}</td>
<td class="number">{{ found.after | share }}</td>
<td class="number">{{ found.change | change("%+.1f", 100) }}</td>
<td class="number">{{ found.without_the_skill | span }}</td></tr>
{% endfor %}</tbody></table></div>
{% endif %}

{% if road.chats %}
<h2>Chats</h2>
<p class="about">The likeliest answers of the served models. Before: a base model continues the
question; it was not trained to answer.</p>
<div class="scroll"><table><tbody>
{% for talk in road.chats %}<tr><th colspan="2">{{ talk.question }}</th></tr>
<tr><td class="talk"><span class="note">before</span>
{{ talk.before | printable }}</td><td class="talk"><span class="note">after</span>
{{ talk.after | printable }}</td></tr>
{% endfor %}</tbody></table></div>
{% endif %}

{% for title, png in curves.items() %}
<figure><img src="data:image/png;base64,{{ png }}" alt="Training curves of {{ title }}">
<figcaption>Training: {{ title }}</figcaption></figure>
{% endfor %}

<h2>Steps</h2>
<p class="about">Each is a command that can be typed alone, in the folder of this report.</p>
<div class="scroll"><table>
<thead><tr><th>Step</th><th class="number">Seconds</th><th>Command</th></tr></thead>
<tbody>{% for step in road.steps %}<tr><td>{{ step.name }}</td>
<td class="number">{{ "%.0f" | format(step.seconds) }}</td>
<td><code>{{ step.command }}</code></td></tr>
{% endfor %}</tbody></table></div>

<h2>road.yaml</h2>
<pre>{{ road.road }}</pre>
{% if road.card %}<h2>Model card</h2>
<pre>{{ road.card }}</pre>{% endif %}
{% endblock %}
"""


def write(report: dict, folder: Path) -> None:
    """Write report.json and report.html.

    Args:
        report: the figures of the road (see `cli.road_figures`); machine and versions are added.
        folder: of the road.
    """
    report = report | {"machine": course.this_machine(), "versions": course.versions()}
    curves = {
        name: _png(folder / name / "curves.png")
        for name in report["stations"]
        if (folder / name / "curves.png").is_file()
    }
    page = fill_page(
        _PAGE,
        {"bits": _bits, "share": _share, "change": _change, "span": _span, "printable": printable},
        road=report,
        names={name: _STATIONS[name] for name in report["stations"]},
        picture=_picture(report) if report["bits_per_byte"] else "",
        curves=curves,
        versions=report["versions"],
    )
    with whole_file(folder / "report.json") as file:
        json.dump(report, file, ensure_ascii=False, indent=1, allow_nan=False)
        file.write("\n")
    with whole_file(folder / "report.html") as file:
        file.write(page)


def _picture(report: dict) -> str:
    """Bits per byte at each station, a line for each text."""
    from matplotlib.figure import Figure

    plotting.use_korean_font()
    figure = Figure(figsize=(7.5, 3.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    stations = report["stations"]
    for text, found in report["bits_per_byte"].items():
        figures = [found["stations"][name] for name in stations]
        value, low, high = np.array(figures, float).T  # None, no interval, draws no bar
        spread = [value - low, high - value]
        axes.errorbar(range(len(stations)), value, spread, marker="o", capsize=3, label=text)
    axes.set_xticks(
        range(len(stations)), [_STATIONS[name].replace(", ", ",\n") for name in stations]
    )
    axes.set_ylabel("bits per byte")
    axes.legend()
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return base64.b64encode(out.getvalue()).decode()


def _png(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _bits(figure: list) -> str:
    value, low, high = figure
    return f"{value:.3f}" + _interval(low, high, "{:.3f}–{:.3f}")


def _share(figure: list) -> str:
    value, low, high = figure
    return f"{value:.1%}" + _interval(low, high, "{:.1%}–{:.1%}")


def _change(figure: list, form: str, factor: float = 1) -> str:
    value, low, high = (None if x is None else form % (x * factor) for x in figure)
    return value + _interval(low, high, "{} to {}")


def _interval(low, high, form: str) -> str:
    """An interval in brackets, which a narrow table does not break."""
    if low is None:
        return ""
    inside = form.format(low, high).replace(" ", "\N{NO-BREAK SPACE}")
    return f" ({inside})".replace("–", "\N{WORD JOINER}–\N{WORD JOINER}")


def _span(span: list | None) -> str:
    return "" if not span else f"{span[0]:.1%}–{span[1]:.1%}"
