"""Where in a JSON file its records are: a bare list, a list under a known key, or the root."""

from collections.abc import Callable, Iterator

from gemma_ko_lib.corpus.sources.records import Origin

IsRecord = Callable[[dict, Origin], bool]
# Keys of a JSON root under which corpora list their records.
CONTAINERS = frozenset(
    "document documents data dataSet dataset data_info dataInfo paragraphs named_entity parallel "
    "labeled_data".split()
)
# Lists that belong to one record, whatever their items look like.
_BODIES = frozenset(
    "paragraph utterance utterances sentence sentences rows body dialogue title subtitle content "
    "NE Aspects".split()
)


def records_of(root: object, file: str, is_record: IsRecord) -> Iterator[tuple[object, Origin]]:
    """The records in a parsed file, each with where it stood.

    Args:
        root: what was parsed.
        file: its name.
        is_record: whether some format knows a record.
    """
    if isinstance(root, list):
        yield from ((item, Origin(file)) for item in root)
        return
    listed = _record_lists(root, file, is_record) if isinstance(root, dict) else []
    if not listed:
        yield from _single_record(root, file, is_record)
        return
    about = {key: value for key, value in root.items() if key not in listed}
    for key in listed:
        yield from ((item, Origin(file, key, about)) for item in root[key])


def _record_lists(root: dict, file: str, is_record: IsRecord) -> list[str]:
    lists = {key: value[0] for key, value in root.items() if _is_list_of_objects(value)}
    listed = [key for key in lists if key in CONTAINERS]
    if listed or is_record(root, Origin(file)):
        return listed
    return [key for key, first in lists.items() if lists_records(key, first, file, is_record)]


def _single_record(root: object, file: str, is_record: IsRecord) -> Iterator[tuple[object, Origin]]:
    if isinstance(root, dict) and not is_record(root, Origin(file)):
        for key, value in root.items():
            if not isinstance(value, dict):
                continue
            if any(name in CONTAINERS and _is_list_of_objects(value[name]) for name in value):
                yield from records_of(value, file, is_record)
                return
            origin = Origin(file, key, {name: root[name] for name in root if name != key})
            if is_record(value, origin):
                yield value, origin
                return
    yield root, Origin(file)


def lists_records(key: str, first: dict, file: str, is_record: IsRecord) -> bool:
    """Whether a list under an unknown key is one of records, by its first object."""
    return key not in _BODIES and is_record(first, Origin(file, key))


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
