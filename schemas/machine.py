"""What the machine refused, told apart from what is wrong with our program: no space, no right to write, no memory.

Judged by error number and type name alone; an error's text may quote data and is only searched for the words of the
operating system below.
"""

from __future__ import annotations

import errno

from schemas.errors import KoppelError, MachineError

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_WRITING = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_SAID = {"No space left on device": "disk_full", "File too large": "disk_full", "Read-only file system": "not_writable"}
_MEMORY = frozenset({"MemoryError", "OutOfMemoryException", "ArrowMemoryError", "_ArrayMemoryError"})


def refusal(error: BaseException, step: str) -> KoppelError | None:
    """MachineError disk_full, not_writable or out_of_memory; None when the machine is not to blame."""
    code = _code(error)
    return None if code is None else MachineError(code, step=step)


def _code(error: BaseException) -> str | None:
    if type(error).__name__ in _MEMORY:
        return "out_of_memory"
    number = getattr(error, "errno", None)
    if number in _NO_SPACE:
        return "disk_full"
    if number in _NO_WRITING:
        return "not_writable"
    if isinstance(error, OSError) or type(error).__module__ == "_duckdb":  # both pass on the system's own words
        return next((code for words, code in _SAID.items() if words in str(error)), None)
    return None
