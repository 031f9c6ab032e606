"""Keys of blind mode: the evaluator's folder, what is public about it, and a source without a shared secret."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pseudonymize import keys, parties, store
from pseudonymize import ristretto as group
from pseudonymize.blind_group import SUITE
from pseudonymize.keys import Key
from pseudonymize.prf import label
from pseudonymize.private import MAX_FILE
from pseudonymize.secret import Secret
from schemas.errors import ConfigError, DeliveryError, KeyUnavailable

FORMAT = "koppelpunt/evaluator/1"
FILE = "evaluator.json"


class Evaluator(BaseModel):
    """What everybody may know of the evaluator. Compare `public` over another channel before trusting it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    format: Literal["koppelpunt/evaluator/1"]
    project: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    epoch: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    public: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    recipient: Annotated[str, StringConstraints(pattern=r"^age1[0-9a-z]{20,100}$")]

    @property
    def key(self) -> bytes:
        """The public key, an element of the group."""
        return bytes.fromhex(self.public)

    def require(self, project: str, epoch: str) -> None:
        """ConfigError wrong_domain unless it is of this project and epoch."""
        if (self.project, self.epoch) != (project, epoch):
            raise ConfigError("wrong_domain", kind="oprf")


def load_evaluator(folder: Path) -> Evaluator:
    """Read evaluator.json. KeyUnavailable key_missing; ConfigError bad_public_keys when it is damaged."""
    path = folder / FILE
    if not path.is_file():
        raise KeyUnavailable("key_missing", file=FILE)
    try:
        found = Evaluator.model_validate(json.loads(path.read_bytes()[:MAX_FILE]))
        group.require_element(found.key)
    except (ValueError, ValidationError, DeliveryError):
        raise ConfigError("bad_public_keys") from None
    return found


def create_evaluator(home: Path, project: str, epoch: str) -> Evaluator:
    """Make the evaluator's folder `home` (private) with `home`/public/evaluator.json to hand out.

    ConfigError output_exists when the folder is not empty, bad_label, blind_unavailable.
    """
    label(project), label(epoch)
    if home.exists() and any(home.iterdir()):
        raise ConfigError("output_exists")
    store.create(home, kek=f"../kek/{home.name}")
    secret, public = SUITE.derive_key_pair(secrets.token_bytes(32), b"ttp/evaluator/v1")
    keys.save(home / "oprf.key", Key(secrets.token_hex(4), "oprf", project, epoch, "evaluator", secret))
    made = Evaluator(
        format="koppelpunt/evaluator/1",
        project=project,
        epoch=epoch,
        public=public.hex(),
        recipient=parties.new_age_identity(home),
    )
    (home / "public").mkdir(mode=0o755)
    text = json.dumps(made.model_dump(), indent=1, sort_keys=True)
    (home / "public" / FILE).write_text(text + "\n", encoding="ascii")
    return made


@dataclass(frozen=True)
class EvaluatorKeys:
    """The evaluator's folder; a key is opened by the step that needs it."""

    folder: Path

    def oprf(self) -> Key:
        """The key of the oblivious PRF."""
        return keys.load(self.folder / "oprf.key", "oprf")

    def identity(self) -> Secret:
        """The age identity that opens requests."""
        return parties.age_identity(self.folder)


@dataclass(frozen=True)
class SourceKeys:
    """A source in blind mode: its own record and signing key, and K_S only in the hybrid."""

    folder: Path
    record: Key
    sign: Key
    pre: Key | None = None

    @classmethod
    def load(cls, folder: Path, *, hybrid: bool = False) -> SourceKeys:
        """Keys of one source; gets its age identity when it has none yet. KeyUnavailable as keys.load."""
        if not (folder / "age.key").exists():
            parties.new_age_identity(folder)
        return cls(
            folder,
            record=keys.load(folder / "record.key", "record"),
            sign=keys.load(folder / "sign.key", "sign"),
            pre=keys.load(folder / "pre.key", "pre") if hybrid else None,
        )

    @property
    def supplier(self) -> str:
        """Whose folder it is."""
        return self.sign.owner

    def identity(self) -> Secret:
        """The age identity that opens answers."""
        return parties.age_identity(self.folder)

    def recipient(self) -> str:
        """Where answers are sealed to."""
        import pyrage  # noqa: PLC0415 - the public half is computed from the private one

        return str(pyrage.x25519.Identity.from_str(self.identity().reveal().decode("ascii")).to_public())
