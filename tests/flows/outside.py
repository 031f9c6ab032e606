"""Two witnesses of outgoing calls: an audit hook in every Python process, and a network with a counter at its edge.

The hook sees every connection any process of ours asks for. As root there is also a network namespace whose only way
out is a wire that counts packets: also what no hook would see, such as a name server asked from C, shows there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HOOK = """
import os, sys

def watch(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}:
        told = arguments if event in {"socket.getaddrinfo", "socket.gethostbyname"} else arguments[1:]
        with open(os.environ["KOPPEL_TEST_CALLS"], "a") as file:
            file.write(f"{told}\\n")

sys.addaudithook(watch)
"""
WIRE = """
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
ip link set lo up
ip link add out0 type veth peer name out1
ip address add 192.0.2.1/24 dev out0
ip link set out0 up
ip link set out1 up
ip route add default via 192.0.2.2
echo ready
exec sleep infinity
"""


@dataclass(frozen=True)
class Outside:
    """Run commands with `prefix` before and `environment` added; then ask what was called."""

    prefix: list[str]
    environment: dict[str, str]

    def run(self, code: str) -> str:
        """A small Python script inside; what it prints."""
        command = [*self.prefix, sys.executable, "-S", "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def packets(self) -> int:
        """Packets on the wire out; 0 without a wire of our own."""
        if not self.prefix:
            return 0
        # /sys shows the namespace it was mounted in; /proc/net shows the reader's.
        return int(self.run("print([l.split()[10] for l in open('/proc/net/dev') if 'out0:' in l][0])"))

    def calls(self) -> set[str]:
        """Connections to anywhere but this machine: sockets with a path and 127.0.0.1 are at home."""
        lines = Path(self.environment["KOPPEL_TEST_CALLS"]).read_text(encoding="utf-8").splitlines()
        assert lines, "the hook saw nothing at all"
        return {line for line in lines if "'127.0.0.1'" not in line and not line.startswith("('/")}


@contextmanager
def watching(folder: Path) -> Iterator[Outside]:
    """Both witnesses; the hook alone where namespaces cannot be made."""
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    environment = {"PYTHONPATH": str(hook), "KOPPEL_TEST_CALLS": str(folder / "calls.txt")}
    holder = _holder()
    try:
        prefix = [] if holder is None else ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        yield Outside(prefix, environment)
    finally:
        if holder is not None:
            holder.kill()
            holder.communicate()


def _holder() -> subprocess.Popen[str] | None:
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return None
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-ec", WIRE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert holder.stdout is not None
    if holder.stdout.readline().strip() == "ready":
        return holder
    holder.kill()
    holder.communicate()
    return None


def api(port: int, secret: str, path: str, body: object = None) -> str:
    """Python that asks Prefect's server something and prints the JSON; -1 and the status when it refuses."""
    data = "None" if body is None else repr(json.dumps(body).encode())
    return (
        "import base64, urllib.error, urllib.request as u\n"
        f"head = {{'Authorization': 'Basic ' + base64.b64encode({secret!r}.encode()).decode(),"
        " 'Content-Type': 'application/json'}\n"
        f"ask = u.Request('http://127.0.0.1:{port}/api{path}', data={data}, headers=head)\n"
        "try:\n    print(u.urlopen(ask, timeout=30).read().decode())\n"
        "except urllib.error.HTTPError as error:\n    print(-error.code)\n"
    )
