"""Settings of one TTP: a frozen model over one TOML file, named by KOPPEL_CONFIG. Keys appear only as folders."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from schemas.errors import ConfigError

ENV = "KOPPEL_CONFIG"
# PostgreSQL by its socket: the system account is who you are, so no password can stand in a file.
DATABASE = r"^$|^postgresql\+asyncpg://[a-z][a-z0-9_-]*@/[a-z][a-z0-9_]*\?host=/[A-Za-z0-9_./-]+$"
RoleName = Literal["gateway", "converter", "linker", "releaser", "auditor"]
PERIOD = re.compile(r"20\d\dH[12]-20\d\dH[12]")


class Settings(BaseSettings):
    """Where things are and how much of the machine may be used. Relative paths count from the file's folder."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Path
    agreements: Path
    keys: Path
    inbox: Path
    gateway: Path
    period: str = "2019H1-2023H2"
    release: str = "demo-1"
    recipient: str = "onderzoek"
    memory_limit: str = Field(default="1GB", pattern=r"^\d+(MB|GB)$")
    threads: int = Field(default=2, ge=1, le=64)
    prefect_port: int = Field(default=4299, ge=1024, le=65535)
    prefect_database: str = Field(default="", pattern=DATABASE)
    alert_command: tuple[str, ...] = ()
    expected: dict[str, int] = {}
    accounts: dict[RoleName, str] = {}
    retention_days: int = Field(default=90, ge=1)
    truth: Path | None = None
    seed: int = Field(default=2024, ge=0)
    draws: int = Field(default=1000, ge=100, le=20_000)
    clerical: Path | None = None
    boundaries: Path | None = None
    full_bayes: bool = False
    recapture_gmsd: bool = False
    engine: Literal["duckdb", "sail", "spark"] = "duckdb"
    engine_url: str | None = Field(default=None, pattern=r"^sc://[A-Za-z0-9.-]+:\d+(/;[A-Za-z0-9_;=.-]*)?$")
    engine_folder: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """One file and nothing else: no environment variable or .env changes a run."""
        return (init_settings,)

    @model_validator(mode="after")
    def _known_period(self) -> Self:
        if not PERIOD.fullmatch(self.period):
            raise ValueError("period is written as 2019H1-2023H2")
        return self

    @property
    def store(self) -> Path:
        """Accepted deliveries: pseudonymised payloads and link files."""
        return self.home / "store"

    @property
    def run(self) -> Path:
        """Everything the run of this period made."""
        return self.home / "runs" / self.period

    @property
    def out(self) -> Path:
        """The release folder."""
        return self.home / "releases" / self.release

    @property
    def receipts(self) -> Path:
        """Signed receipts of accepted deliveries, for their suppliers."""
        return self.home / "receipts"

    @property
    def state(self) -> Path:
        """Ledger, step journal and audit log."""
        return self.home / "state"


_PATHS = ("home", "agreements", "keys", "inbox", "gateway", "truth", "clerical", "boundaries", "engine_folder")
_given: dict[str, object] = {}


def give(**values: object) -> None:
    """Values of the command line: in this process they go before the file's. Without any, the file's hold again."""
    _given.clear()
    _given.update({name: value for name, value in values.items() if value is not None})


def load(path: Path | None = None) -> Settings:
    """Read the settings file (argument, else KOPPEL_CONFIG, else ./koppel.toml). ConfigError when it is wrong."""
    file = (path or Path(os.environ.get(ENV, "koppel.toml"))).resolve()
    if not file.is_file():
        raise ConfigError("no_settings")
    try:
        content = TomlConfigSettingsSource(Settings, file)()
        located = {k: str(file.parent / v) if k in _PATHS else v for k, v in content.items()}
        return Settings.model_validate({**located, **_given})
    except ValidationError as error:
        raise ConfigError("bad_settings", faults=error.error_count()) from None
    except (ValueError, TypeError, RecursionError):  # no TOML, a path that is no text, or nested beyond reason
        raise ConfigError("bad_settings", faults=1) from None
