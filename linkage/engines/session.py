"""A session on Sail or Spark: tables by name, each kept as Parquet in one folder that every worker can reach."""

from __future__ import annotations

import os
import shutil
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import ConfigError

ENGINES = ("sail", "spark")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Engine:
    """Which engine, where, and the folder through which tables travel.

    Without `url` the engine runs inside this process, on this machine. With one (`sc://host:port`) it is a cluster
    that speaks Spark Connect, and `folder` must be a volume that its workers see under the same path.
    """

    kind: str
    url: str | None = None
    folder: Path | None = None
    threads: int = 2

    def __post_init__(self) -> None:
        if self.kind not in ENGINES:
            raise ConfigError("unknown_engine", engines=", ".join(("duckdb", *ENGINES)))
        if self.url is not None and self.folder is None:
            raise ConfigError("engine_folder")


class Session:
    """Tables of one run on an engine."""

    def __init__(self, spark: Any, folder: Path) -> None:
        self.spark, self.folder = spark, folder

    def open(self, name: str) -> None:
        """Make `folder/<name>/*.parquet` known as a table."""
        self.spark.read.parquet(str(self.folder / name)).createOrReplaceTempView(name)

    def make(self, name: str, query: str) -> None:
        """Fill `folder/<name>` from a query, once: what reads it later sees the same rows."""
        frame = self.spark.sql(query)
        frame.write.mode("overwrite").parquet(str(self.folder / name))
        if not any((self.folder / name).glob("*.parquet")):  # an engine may write nothing for no rows
            (self.folder / name).mkdir(exist_ok=True)
            frame.limit(0).createOrReplaceTempView(name)
            return
        self.open(name)

    def arrow(self, query: str) -> pa.Table:
        """The rows of a query."""
        found: pa.Table = self.spark.sql(query).toArrow()
        return found


@contextmanager
def session(engine: Engine, work: Path) -> Iterator[Session]:
    """A session whose tables stand in a folder of their own, removed at the end.

    ConfigError engine_unavailable when the packages are not there, or nothing answers.
    """
    folder = (engine.folder or work) / "engine"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        with _spark(engine) as spark:
            yield Session(spark, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _spark(engine: Engine) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the client speaks of pandas versions; we pass Arrow tables only
        try:
            from pyspark.sql import SparkSession  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise ConfigError("engine_unavailable", engine=engine.kind) from None
        if engine.kind == "sail" and engine.url is None:
            with _sail(engine) as url:
                yield from _connected(SparkSession, engine, url)
        elif engine.url is not None:
            yield from _connected(SparkSession, engine, engine.url)
        else:
            yield from _local(SparkSession, engine)


def _connected(builder: Any, engine: Engine, url: str) -> Iterator[Any]:
    """A Spark Connect session; whether anything answers is asked first, for the client itself retries for minutes."""
    host, _, port = url.removeprefix("sc://").split("/")[0].partition(":")
    try:
        socket.create_connection((host, int(port or 15002)), timeout=10).close()
    except (OSError, ValueError):
        raise ConfigError("engine_unavailable", engine=engine.kind) from None
    spark = builder.builder.remote(url).create()
    try:
        yield spark
    finally:
        spark.stop()


def _local(builder: Any, engine: Engine) -> Iterator[Any]:
    """Spark inside this process (needs the whole of pyspark, and Java)."""
    try:
        plain = (
            builder.builder.master(f"local[{engine.threads}]")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
        )
        plain = plain.config("spark.sql.shuffle.partitions", str(2 * engine.threads))
        spark = plain.config("spark.driver.bindAddress", LOOPBACK).config("spark.driver.host", LOOPBACK).getOrCreate()
    except Exception as error:  # the client has several ways to say that there is no Java, or only the light client
        raise ConfigError("engine_unavailable", engine=engine.kind) from error
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def _sail(engine: Engine) -> Iterator[str]:
    """A Sail server on a free port of loopback, inside this process; it logs nothing."""
    os.environ.setdefault("RUST_LOG", "off")
    try:
        from pysail.spark import SparkConnectServer  # noqa: PLC0415
    except ImportError:
        raise ConfigError("engine_unavailable", engine=engine.kind) from None
    server = SparkConnectServer(ip=LOOPBACK, port=0)
    server.start(background=True)
    try:
        yield f"sc://{LOOPBACK}:{server.listening_address[1]}"
    finally:
        server.stop()
