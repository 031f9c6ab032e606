"""The domain a pseudonym belongs to: schemas/pseudonym.py, under the name this room has for it."""

from schemas.pseudonym import (
    KEY,
    Domain,
    PseudonymType,
    labelled,
    link_column,
    of_field,
    require,
    require_same,
    storage,
)

__all__ = [
    "KEY",
    "Domain",
    "PseudonymType",
    "labelled",
    "link_column",
    "of_field",
    "require",
    "require_same",
    "storage",
]
