"""Metadata of NWB files: who, where, when and which subject; /general in the file, `block.annotations["nwb"]` in memory.

`checked` reads the argument `metadata` of `save` and is strict, `kept` reads the annotation and leaves out what NWB can't hold:
files of other programs are saved again whatever they say. In memory dates are texts in ISO form and names are lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np

from ...core.checks import did_you_mean
from ...core.errors import NsnnError
from ...core.units import is_quantity, shown, si
from ...core.warn import warn
from ..hdf5 import Reader, is_text

_TEXTS = (
    "session_description", "session_id", "experiment_description", "institution", "lab", "pharmacology", "protocol", "slices",
    "data_collection", "surgery", "virus", "stimulus_notes",
)  # fmt: skip
_LISTS = ("experimenter", "keywords", "related_publications")
_DATE = "session_start_time"
_SUBJECT = (
    "subject_id", "species", "sex", "age", "age__reference", "description", "genotype", "strain", "weight", "date_of_birth",
)  # fmt: skip
_KEYS = ("subject", *_LISTS, _DATE, *_TEXTS)
_OWN = {
    "identifier": "save computes it from the content",
    "notes": "save keeps block.annotations there: put text into block.annotations",
    "file_create_date": "save writes it",
}
_BINOMIAL = re.compile(r"[A-Z][a-z]* [a-z]+|http://purl\.obolibrary\.org/obo/NCBITaxon_\d+")
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = (
    rf"P(?=[\dT])(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
_AGE = re.compile(rf"{_DURATION}(?:/(?:{_DURATION})?)?")
_WEIGHT = re.compile(rf"{_NUMBER} (?:kg|g|mg|ug)")
# what DANDI and nwbinspector take for the name of a person
_LAST_FIRST = re.compile(r"[\w\s.'-]+,\s+[\w\s.'-]+")
_SEXES = ("M", "F", "U", "O")
_WORM = ("Caenorhabditis elegans", "C. elegans")


def checked(metadata: Any) -> dict[str, Any]:
    """The argument `metadata` of `save` in the form that the annotation has; NsnnError for what NWB or DANDI would refuse."""
    if metadata is None:
        return {}
    result: dict[str, Any] = {}
    for key, value in _pairs(metadata, "metadata", _KEYS):
        name = f"metadata[{key!r}]"
        if key == "subject":
            result[key] = _subject(value, name)
        elif key in _LISTS:
            result[key] = _names(value, name)
            if key == "experimenter":  # "Doe,Jane"
                result[key] = [re.sub(r"\s*,\s*", ", ", one.strip()) for one in result[key]]
        else:
            result[key] = _moment(value, name) if key == _DATE else _text(value, name)
    if _DATE in result and datetime.fromisoformat(result[_DATE]) > datetime.now(UTC):
        raise NsnnError(
            f"metadata[{_DATE!r}] = {result[_DATE]} is in the future: expected the start of the recording; without a time zone it "
            "is UTC"
        )
    if "/" in result.get("session_id", ""):
        raise NsnnError(
            f"metadata['session_id'] = {result['session_id']!r}: expected no '/', since archives make folders of it"
        )
    return result


def unlike_last_first(names: Any) -> list[str]:
    """Which names of experimenters don't have the form that the inspector of the DANDI archive suggests.

    >>> unlike_last_first(["Doe, Jane", "van der Berg, Jan-Willem A.", "Jane Doe"])
    ['Jane Doe']
    """
    return [name for name in names if not _LAST_FIRST.fullmatch(name)]


def warn_of_names(metadata: Mapping[str, Any]) -> None:
    """Warn once of experimenters in `metadata`, in the form of `checked`, that the archive's inspector would report."""
    if odd := unlike_last_first(metadata.get("experimenter", ())):
        warn(
            f"metadata['experimenter'] has {shown(odd[0])}, saved as it is: the inspector of the DANDI archive suggests "
            "'Last, First', such as 'Doe, Jane', and a list for several persons"
        )


def _pairs(value: Any, name: str, keys: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The items of a dict with these keys."""
    if not isinstance(value, Mapping):
        raise NsnnError(
            f"{name} = {shown(value)}: expected a dict with keys such as {', '.join(map(repr, keys[:4]))}"
        )
    for key in value:
        if key in _OWN and name == "metadata":
            raise NsnnError(f"metadata[{key!r}] can't be given: {_OWN[key]}")
        if key not in keys:
            longer = [one for one in keys if one.startswith(str(key))]
            hint = (
                did_you_mean(longer[0] if len(longer) == 1 else key, keys)
                or f": expected one of {', '.join(map(repr, keys))}"
            )
            if key in _SUBJECT:
                hint = f": it belongs in metadata['subject'], dict(subject=dict({key}=...))"
            raise NsnnError(f"{name} has no key {shown(key)}{hint}")
    return list(value.items())


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        examples = {"age": " such as 'P90D' (90 days)", "weight": " such as '0.022 kg'"}
        example = next((text for key, text in examples.items() if name.endswith(f"[{key!r}]")), "")
        raise NsnnError(f"{name} = {shown(value)}: expected a text{example or ' that is not empty'}")
    return str(value)


def _names(value: Any, name: str) -> list[str]:
    """One text or a list of texts, as a list."""
    if isinstance(value, str):
        return [_text(value, name)]
    if not isinstance(value, list | tuple) or not value:
        raise NsnnError(f"{name} = {shown(value)}: expected a text or a list of texts")
    return [_text(one, f"{name}[{k}]") for k, one in enumerate(value)]


def _moment(value: Any, name: str) -> str:
    """A date and time as ISO text with its time zone, UTC where there is none."""
    expected = "expected a datetime.datetime, or text such as '2026-05-04T10:30:00+02:00'"
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise NsnnError(f"{name} = {value!r}: {expected}") from None
    if type(value) is date:
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise NsnnError(f"{name} = {shown(value)}: {expected}")
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()


def _subject(value: Any, name: str) -> dict[str, Any]:
    result = {}
    for key, given in _pairs(value, name, _SUBJECT):
        where = f"{name}[{key!r}]"
        if key == "date_of_birth":
            result[key] = _moment(given, where)
        elif key == "weight" and is_quantity(given):
            result[key] = _mass(given, where)
        else:
            result[key] = _text(given, where)
    _check_subject(result, name)
    return result


def _mass(value: Any, name: str) -> str:
    """A mass as text without an exponent, in the largest unit that allows it."""
    kg = si(value, "kg", name)
    if np.ndim(kg) or not 0 < kg < np.inf:
        raise NsnnError(f"{name} = {shown(value)}: expected one mass above 0 such as 22*quantities.g")
    texts = [f"{factor * float(kg):.10g} {unit}" for unit, factor in (("kg", 1), ("g", 1e3), ("mg", 1e6))]
    return next((text for text in texts if _WEIGHT.fullmatch(text)), texts[-1])


def _check_subject(subject: dict[str, Any], name: str) -> None:
    def refuse(key: str, expected: str) -> None:
        raise NsnnError(f"{name}[{key!r}] = {shown(subject[key])}: expected {expected}")

    species = subject.get("species", "")
    if species and not _BINOMIAL.fullmatch(species):
        refuse(
            "species",
            "a Latin name of two words, such as 'Mus musculus', or its address in the NCBI taxonomy, such as "
            "'http://purl.obolibrary.org/obo/NCBITaxon_9669'",
        )
    sexes = ("XX", "XO") if species in _WORM else _SEXES
    if subject.get("sex", sexes[0]) not in sexes:
        said = " (male, female, unknown, other)" if sexes is _SEXES else ""
        refuse("sex", f"one of {', '.join(map(repr, sexes))}{said}")
    if not _AGE.fullmatch(subject.get("age", "P1D")):
        refuse(
            "age",
            "an ISO 8601 duration such as 'P90D' (90 days), 'P12W', 'P2Y', or a range such as 'P90D/P120D'",
        )
    if subject.get("age__reference", "birth") not in ("birth", "gestational"):
        refuse("age__reference", "'birth' or 'gestational'")
    if "/" in subject.get("subject_id", ""):
        refuse("subject_id", "no '/', since archives make folders of it")
    if not _WEIGHT.fullmatch(subject.get("weight", "1 g")):
        refuse("weight", "a number and kg, g or mg, such as '0.022 kg'")


def kept(annotation: Any) -> dict[str, Any]:
    """What NWB can hold of the annotation "nwb", in the form that `checked` gives; the rest is left out.

    >>> kept({"identifier": "x1", "institution": "MIT", "keywords": [3], "subject": {"species": "mouse", "cage": 4}})
    {'institution': 'MIT', 'subject': {'species': 'mouse'}}
    """
    known = annotation if isinstance(annotation, Mapping) else {}
    result = _kept_of(known, _KEYS[1:])
    subject = _kept_of(known["subject"], _SUBJECT) if isinstance(known.get("subject"), Mapping) else {}
    return result | ({"subject": subject} if subject else {})


def _kept_of(items: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The values of these keys that NWB can hold."""
    result = {}
    for key in (key for key in items if key in keys):
        form: Any = _names if key in _LISTS else _moment if key in (_DATE, "date_of_birth") else _text
        with suppress(NsnnError):
            result[key] = form(items[key], key)
    return result


def combined(annotation: Any, metadata: Any) -> dict[str, Any]:
    """The annotation "nwb" with the argument `metadata` of `save`, which comes before it; a subject is combined key by key."""
    given = checked(metadata)
    before = dict(annotation) if isinstance(annotation, Mapping) else {}
    old = before.get("subject")
    if "subject" in given and isinstance(old, Mapping):
        given["subject"] = {**old, **given["subject"]}
    return {**before, **given}


def arguments(annotation: Any) -> dict[str, Any]:
    """The arguments of `pynwb.NWBFile` for the annotation "nwb", without session_description and session_start_time."""
    from pynwb.file import Subject

    fields = kept(annotation)
    fields.pop("session_description", None)
    fields.pop(_DATE, None)
    subject = fields.pop("subject", None)
    if subject:
        if "date_of_birth" in subject:
            subject["date_of_birth"] = datetime.fromisoformat(subject["date_of_birth"])
        if subject.get("age__reference", "birth") not in ("birth", "gestational") or "age" not in subject:
            subject.pop("age__reference", None)
        fields["subject"] = Subject(**subject)
    return fields


def read(source: Reader) -> dict[str, Any]:
    """The metadata in /general of an NWB file, in the form of `checked`."""
    keys = (*_TEXTS[1:], *_LISTS)
    result = {key: value for key in keys if (value := _read(source, f"general/{key}", many=key in _LISTS))}
    subject = {key: value for key in _SUBJECT if (value := _read(source, f"general/subject/{key}"))}
    reference = source.attribute("general/subject/age", "reference", "birth")
    if "age" in subject and reference != "birth" and isinstance(reference, str):
        subject["age__reference"] = reference
    return kept(result | {"subject": subject})


def _read(source: Reader, path: str, many: bool = False) -> Any:
    """A text, or a list of texts if `many`; None for anything else."""
    result = source.find(path)
    if not is_text(result):
        return None
    if result.ndim == 1 and many:
        return source.texts(path)
    text = source.text(path)
    plain = None if text is None else text.decode("utf-8", "replace")
    return [plain] if many and plain is not None else plain


def updated(annotation: Any, stated: dict[str, Any]) -> Any:
    """The annotation "nwb" of a file of `save` with what the file's /general says now: other programs may have added to it."""
    if not isinstance(annotation, Mapping | None):
        return annotation
    result = dict(annotation or {})
    before = kept(result)
    for key, value in stated.items():
        if key == "subject":
            old = result.get("subject")
            old = dict(old) if isinstance(old, Mapping) else {}
            known = before.get("subject", {})
            result[key] = {**old, **{k: v for k, v in value.items() if known.get(k) != v}}
        elif before.get(key) != value:
            result[key] = value
    return result


def missing_for_dandi(annotation: Any) -> list[str]:
    """What the DANDI archive would refuse a file for: facts about the subject that are missing or in another form.

    >>> missing_for_dandi({"subject": {"subject_id": "m1", "species": "Mus musculus", "sex": "F"}})
    ['no age or date_of_birth of the subject']
    """
    subject = kept(annotation).get("subject", {})
    if not subject:
        return ["no subject"]
    problems = [f"no {key} of the subject" for key in ("subject_id", "species", "sex") if key not in subject]
    for key in subject:
        related = {"species"} if key == "sex" else set()
        try:
            _check_subject({k: v for k, v in subject.items() if k in {key} | related}, "metadata['subject']")
        except NsnnError as error:
            problems.append(str(error))
    if not {"age", "date_of_birth"} & set(subject):
        problems.append("no age or date_of_birth of the subject")
    return list(dict.fromkeys(problems))
