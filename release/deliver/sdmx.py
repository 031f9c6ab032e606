"""SDMX-CSV 2.0 with its structure (SDMX-ML 2.1): what statistical offices read.

A hidden cell has OBS_VALUE #N/A (missing on purpose), OBS_STATUS Q (suppressed) and CONF_STATUS C; it does not say
whether it was primary or secondary. Half-years are SDMX half-years: 2023H1 is 2023-S1.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

from release.deliver.face import Face
from schemas.target_group import MATEN, NIVEAUS

AGENCY, NAME, VERSION = "KOPPELPUNT", "DOELGROEP", "1.0"
STRUCTURE_ID = f"{AGENCY}:{NAME}({VERSION})"
MISSING = "#N/A"
DIMENSIONS = ("FREQ", "NIVEAU", "GEBIED", "MAAT", "TIME_PERIOD")
COLUMNS = ("STRUCTURE", "STRUCTURE_ID", "ACTION", *DIMENSIONS, "OBS_VALUE", "OBS_STATUS", "CONF_STATUS", "GELEVERD")
_M, _S, _C = (
    f"{{http://www.sdmx.org/resources/sdmxml/schemas/v2_1/{part}}}" for part in ("message", "structure", "common")
)
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
Node = ElementTree.Element


def write(face: Face, out: Path) -> list[Path]:
    """doelgroep.sdmx.csv and doelgroep.structure.xml."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in face.tables:
        for niveau, code, _, half, maat, _, count, _, given in face.rows(name):
            key = ("H", niveau.upper(), code, maat.upper(), half.replace("H", "-S"))
            value, status = (MISSING, ("Q", "C")) if count is None else (count, ("A", "F"))
            writer.writerow(("datastructure", STRUCTURE_ID, "I", *key, value, *status, given[0].upper()))
    data, structure = out / "doelgroep.sdmx.csv", out / "doelgroep.structure.xml"
    data.write_text(text.getvalue(), encoding="utf-8")
    structure.write_bytes(_structure(face))
    return [data, structure]


def _codes(face: Face) -> dict[str, dict[str, str]]:
    areas = {row[1]: row[2] for name in face.tables for row in face.rows(name)}
    return {
        "CL_FREQ": {"H": "Per halfjaar"},
        "CL_NIVEAU": {name.upper(): text for name, text in NIVEAUS.items()},
        "CL_GEBIED": dict(sorted(areas.items())),
        "CL_MAAT": {name.upper(): text for name, text in MATEN.items()},
        "CL_OBS_STATUS": {"A": "Waarneming", "Q": "Verborgen"},
        "CL_CONF_STATUS": {"F": "Vrij", "C": "Vertrouwelijk"},
        "CL_GELEVERD": {"J": "Alle gemeenten leverden GMSD", "N": "Niet alle gemeenten leverden GMSD"},
    }


_LISTED = {
    "FREQ": "CL_FREQ",
    "NIVEAU": "CL_NIVEAU",
    "GEBIED": "CL_GEBIED",
    "MAAT": "CL_MAAT",
    "OBS_STATUS": "CL_OBS_STATUS",
    "CONF_STATUS": "CL_CONF_STATUS",
    "GELEVERD": "CL_GELEVERD",
}
_CONCEPTS = {
    "FREQ": "Frequentie",
    "NIVEAU": "Gebiedsniveau",
    "GEBIED": "Gebied",
    "MAAT": "Wat is geteld",
    "TIME_PERIOD": "Halfjaar waarin de titel eindigde",
    "OBS_VALUE": "Aantal personen",
    "OBS_STATUS": "Status van de waarneming",
    "CONF_STATUS": "Vertrouwelijkheid",
    "GELEVERD": "Wmo-gegevens geleverd",
}


def _structure(face: Face) -> bytes:
    root = ElementTree.Element(f"{_M}Structure")
    header = ElementTree.SubElement(root, f"{_M}Header")
    # No clock: the same release gives the same bytes. The day is that of the standard's half-year rule, not of making.
    for tag, text in (("ID", face.provenance["release"]), ("Test", "false"), ("Prepared", "2020-01-01T00:00:00Z")):
        ElementTree.SubElement(header, f"{_M}{tag}").text = text
    ElementTree.SubElement(header, f"{_M}Sender", id=AGENCY)
    parts = ElementTree.SubElement(root, f"{_M}Structures")
    lists = ElementTree.SubElement(parts, f"{_S}Codelists")
    for name, codes in _codes(face).items():
        _scheme(lists, "Codelist", name, "Code", codes)
    concepts = ElementTree.SubElement(parts, f"{_S}Concepts")
    _scheme(concepts, "ConceptScheme", "CS_DOELGROEP", "Concept", _CONCEPTS)
    _definition(ElementTree.SubElement(parts, f"{_S}DataStructures"), face.title)
    ElementTree.indent(root)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _scheme(parent: Node, kind: str, name: str, item: str, members: dict[str, str]) -> None:
    scheme = ElementTree.SubElement(parent, f"{_S}{kind}", id=name, agencyID=AGENCY, version=VERSION)
    _name(scheme, name)
    for code, text in members.items():
        _name(ElementTree.SubElement(scheme, f"{_S}{item}", id=code), text)


def _name(parent: Node, text: str) -> None:
    ElementTree.SubElement(parent, f"{_C}Name", {_LANG: "nl"}).text = text


def _definition(parent: Node, title: str) -> None:
    whole = ElementTree.SubElement(parent, f"{_S}DataStructure", id=NAME, agencyID=AGENCY, version=VERSION)
    _name(whole, title)
    parts = ElementTree.SubElement(whole, f"{_S}DataStructureComponents")
    dimensions = ElementTree.SubElement(parts, f"{_S}DimensionList", id="DimensionDescriptor")
    for place, name in enumerate(DIMENSIONS, 1):
        kind = "TimeDimension" if name == "TIME_PERIOD" else "Dimension"
        _component(ElementTree.SubElement(dimensions, f"{_S}{kind}", id=name, position=str(place)), name)
    attributes = ElementTree.SubElement(parts, f"{_S}AttributeList", id="AttributeDescriptor")
    for name in ("OBS_STATUS", "CONF_STATUS", "GELEVERD"):
        one = ElementTree.SubElement(attributes, f"{_S}Attribute", id=name, assignmentStatus="Mandatory")
        _component(one, name)
        relation = ElementTree.SubElement(one, f"{_S}AttributeRelationship")
        ElementTree.SubElement(ElementTree.SubElement(relation, f"{_S}PrimaryMeasure"), "Ref", id="OBS_VALUE")
    measures = ElementTree.SubElement(parts, f"{_S}MeasureList", id="MeasureDescriptor")
    _component(ElementTree.SubElement(measures, f"{_S}PrimaryMeasure", id="OBS_VALUE"), "OBS_VALUE")


def _component(node: Node, name: str) -> None:
    identity = ElementTree.SubElement(node, f"{_S}ConceptIdentity")
    told = {"id": name, "maintainableParentID": "CS_DOELGROEP", "agencyID": AGENCY}
    told |= {"maintainableParentVersion": VERSION, "package": "conceptscheme", "class": "Concept"}
    ElementTree.SubElement(identity, "Ref", told)
    kind = ElementTree.SubElement(node, f"{_S}LocalRepresentation")
    if name in _LISTED:
        listed = {
            "id": _LISTED[name],
            "agencyID": AGENCY,
            "version": VERSION,
            "package": "codelist",
            "class": "Codelist",
        }
        ElementTree.SubElement(ElementTree.SubElement(kind, f"{_S}Enumeration"), "Ref", listed)
    else:
        text = "ObservationalTimePeriod" if name == "TIME_PERIOD" else "Integer"
        ElementTree.SubElement(kind, f"{_S}TextFormat", textType=text)
