"""The plans of the teacher's guide add up, and name what is there."""

import itertools
import re

import nbformat
import pytest

from data_samples.makers.notebooks import exercises as course_exercises
from data_samples.makers.notebooks import teaching_times
from data_samples.makers.notebooks.heads import ROOT
from gemma_ko_lib import course
from gemma_ko_lib.course.notebook_files import recorded_runs

GUIDE = (ROOT / "notebooks" / "README.md").read_text("utf-8")
LESSONS = {path.stem.split("_")[0]: path for path in course.find_notebooks()}
_LESSON = r"(?<![\d§.])(?:\[(?P<linked>\d\d[ab]?)\]\([^)]*\)|(?P<lesson>\d\d[ab]?))(?![\w%])"
_NAMED = re.compile(
    rf"{_LESSON}|§(?P<first>\d+)(?:–§(?P<last>\d+))?|without (?P<without>(?:§\d+(?:, )?)+)"
    r"|(?P<whole>\bwhole\b)|(?P<opening>\bopening\b)|[Ee]xercises? (?P<exercises>\d(?:(?:, )\d)*)"
)


def rows(heading, text=GUIDE):
    """The cells of the table below a heading, without its head."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def recorded(name):
    """The table at the end: minutes by section, and those of the whole by profile."""
    table = GUIDE.split(f"\n**{LESSONS[name].stem}**\n")[1].split("\n**")[0]
    head, _, *lines = (
        [cell.strip(" *`") for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    )
    read = {line[0].split(" · ")[0]: int(line[1]) for line in lines[:-1]}
    whole = dict(zip(head[2:], map(float, lines[-1][2:]), strict=True))
    return read, whole


def exercise_minutes(name):
    found = teaching_times.exercise_minutes(LESSONS[name])
    return {number: minutes for number, (_, minutes) in found.items()}


def named(text):
    """What a row names: (lesson, sections, exercises) for each mention of a lesson."""
    found = []
    for match in _NAMED.finditer(text):
        part = match.groupdict()
        if lesson := part["linked"] or part["lesson"]:
            found.append((lesson, set(), set()))
            continue
        lesson, sections, exercises = found[-1]
        every = set(recorded(lesson)[0])
        if part["without"]:
            sections |= every - set(re.findall(r"\d+", part["without"]))
        elif part["whole"]:
            sections |= every
        elif part["opening"]:
            sections.add("Opening")
        elif part["exercises"]:
            exercises |= {int(number) for number in re.findall(r"\d", part["exercises"])}
        else:
            last = int(part["last"] or part["first"])
            sections |= {str(n) for n in range(int(part["first"]), last + 1)}
    return found


def minutes(text):
    """Minutes of reading and exercises that a row names; of two ways the longer one."""
    total = 0
    for way in re.split(r"\*[Oo]r\*", text):
        own = 0
        for lesson, sections, exercises in named(way):
            read, each = recorded(lesson)[0], exercise_minutes(lesson)
            assert sections <= set(read) and exercises <= set(each), f"{lesson} in: {text}"
            own += sum(read[section] for section in sections) + sum(map(each.get, exercises))
        total = max(total, own)
    return total


PLANS = {
    "Three hours": [(int(row[1]), row[2]) for row in rows("Three hours")],
    "One day": [(int(row[1]), row[2]) for row in rows("One day")],
    "Two days": [(int(row[2]), row[3]) for row in rows("Two days")],
}


@pytest.mark.parametrize("plan", PLANS)
def test_what_a_row_names_is_there_and_fits_into_its_minutes(plan):
    assert [text for given, text in PLANS[plan] if minutes(text) > given] == []
    assert sum(minutes(text) for _, text in PLANS[plan]) > 60  # the rows were understood


def test_three_hours_are_three_hours():
    clock = 0
    for start, lasts, *_ in rows("Three hours"):
        hours, rest = start.split(":")
        assert clock == 60 * int(hours) + int(rest)
        clock += int(lasts)
    assert clock == 180


def test_a_block_of_the_day_has_ninety_minutes():
    days = [("1", *row[:2]) for row in rows("One day")], [row[:3] for row in rows("Two days")]
    for plan, count in zip(days, (4, 8), strict=True):
        blocks = {}
        for day, block, lasts in plan:
            blocks[day, block] = blocks.get((day, block), 0) + int(lasts)
        assert list(blocks) == [(day, block) for day in "12" for block in "1234"][:count]
        assert list(blocks.values()) == [90] * count


@pytest.mark.parametrize("plan", PLANS)
def test_machine_minutes_are_the_recorded_ones(plan):
    given = [row[-2:] for row in rows(plan) if re.fullmatch(r"\d+ / (\d+|–)", row[-1])]
    assert len(given) >= 5
    for text, machine in given:
        smoke, cpu = machine.split(" / ")
        whole = recorded(named(text)[0][0])[1]
        assert abs(int(smoke) - whole["smoke"]) <= 1, text
        assert ("cpu" in whole) == (cpu != "–"), text
        assert cpu == "–" or abs(int(cpu) - whole["cpu"]) <= 1, text


def arrivals(lesson, profile):
    """Minutes after "Run all" at which a section's outputs are there, in the recorded run."""
    for run in recorded_runs():
        if (run["notebook"].split("_")[0], run["profile"]) == (lesson, profile):
            seconds = itertools.accumulate(run["sections"].values())
            names = (name.split(" · ")[0].split(" (")[0] for name in run["sections"])
            return {name: s / 60 for name, s in zip(names, seconds, strict=True)}
    return {}


@pytest.mark.parametrize("profile", ["smoke", "cpu"])
@pytest.mark.parametrize("plan", PLANS)
def test_outputs_are_there_when_the_teacher_reaches_them(plan, profile):
    waits, ahead = [], {}
    for given, text in PLANS[plan]:
        spoken = 0
        for way in re.split(r"\*[Oo]r\*", text):
            clock = 0
            for lesson, sections, exercises in named(way):
                read, there = recorded(lesson)[0], arrivals(lesson, profile)
                if "as stored" in way or not there:
                    continue
                early = ahead.get(lesson, 0)
                for section in (name for name in read if name in sections):
                    if there[section] - early - clock > 1.5:
                        waits.append(f"{lesson} §{section} in: {text}")
                    clock += read[section]
                # Exercises need the kernel, which is busy until the last section is through.
                last = [name for name in there if name in read][-1]
                if exercises and there[last] - early - clock > 1.5:
                    waits.append(f"exercises of {lesson} in: {text}")
            spoken = max(spoken, clock)
        # Who starts a lesson in a row does it when its reading is done; a new one runs from there.
        for lesson, sections, exercises in named(text):
            if not sections and not exercises:
                ahead[lesson] = given - spoken
    assert waits == []


def test_sections_that_guide_and_questions_send_to_are_there():
    skip = GUIDE.split("\n## What to skip\n")[1].split("\n## ")[0]
    faq = (ROOT / "FAQ.md").read_text("utf-8")
    links = re.findall(r"[Ll]esson (\d\d[ab]?), section\s(\d+)", faq)
    assert len(links) >= 6
    links += [(lesson, n) for lesson, sections, _ in named(skip) for n in sections]
    missing = [link for link in links if link[1] not in recorded(link[0])[0]]
    assert missing == []
    assert set(LESSONS) == set(re.findall(r"^\*\*(\d\d[ab]?)\*\* \(1\)", GUIDE, re.M))  # a quiz
    assert list(LESSONS) == [row[0] for row in rows("Questions to discuss")]


def test_the_table_of_exercises_names_each_exercise_once_with_its_minutes():
    *lessons, last = rows("The exercises")
    assert [row[0] for row in lessons] == list(LESSONS)
    for name, *by_level, count, minutes in lessons:
        found = re.findall(r"(\d+) \((\d+)\)", ", ".join(by_level))
        there = course_exercises.exercises(nbformat.read(LESSONS[name], as_version=4))
        assert sorted(int(number) for number, _ in found) == [e.number for e in there], name
        assert (int(count), int(minutes)) == (len(there), sum(int(m) for _, m in found)), name
        for level, cell in zip(teaching_times.LEVELS, by_level, strict=True):
            for number, _ in re.findall(r"(\d+) \((\d+)\)", cell):
                assert f"**{number}.** {level}" in there[int(number) - 1].question.source, name
    assert last[-2].strip("*") == str(sum(int(row[-2]) for row in lessons))


def clock_of_lesson_01():
    """Minutes since the title at the end of each cell, by words, lines, pictures and machine."""
    runs = (run for run in recorded_runs() if run["notebook"] == LESSONS["01"].stem)
    seconds = next(run["sections"] for run in runs if run["profile"] == "smoke")
    clock = 0.0
    notebook = nbformat.read(LESSONS["01"], as_version=4)
    for section, cells in teaching_times.sections(notebook).items():
        clock += seconds[section] / 60
        for cell in cells:
            clock += teaching_times.reading_minutes(cell)
            clock += sum("image/png" in x.get("data", {}) for x in cell.get("outputs", ())) / 3
            yield section.split(" ")[0], cell.source, clock


def test_lesson_01_goes_as_the_guide_says():
    _, told = GUIDE.split("**Lesson 01 alone, in thirty minutes:**")
    told = told.split("\n\n")[0]
    whole, equal, written = map(int, re.findall(r"(?:[Aa]fter|in) (\d+) minutes", told))
    cells = list(clock_of_lesson_01())
    at = {
        name: next(m for _, source, m in cells if start in source)
        for name, start in (("whole", "class Gemma(TiedTable)"), ("equal", "differences = {}"))
    }
    end = [minutes for section, _, minutes in cells if section == "8"][-1]
    assert [whole, equal, written] == [round(at["whole"]), round(at["equal"]), round(end)]
    asked = [s for s, source, _ in cells if "**Predict first:**" in source and int(s) <= 8]
    assert asked == ["1", "4", "8"] and "three" in told
