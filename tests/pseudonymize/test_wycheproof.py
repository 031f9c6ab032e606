"""Wycheproof's facts about the primitives this room stands on: edge cases that a plain vector does not reach.

tests/vectors/wycheproof_*.json are selections with their source; each primitive is called the way the room calls it.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from pseudonymize.prf import Prf
from pseudonymize.secret import Secret

VECTORS = Path(__file__).parents[1] / "vectors"
FLAGS = {
    "hmac_flags": {"Pseudorandom", "ModifiedTag"},
    "hkdf_sha256": {"EmptySalt", "Normal", "SizeTooLarge", "OutputCollision"},
    "aes_kwp": {"Normal", "SmallKey", "ModifiedPadding"},
    "chacha20_poly1305": {
        *("Ktv", "Pseudorandom", "EdgeCaseCiphertext", "EdgeCasePolyKey", "EdgeCasePoly1305"),
        *("ModifiedTag", "InvalidNonceSize"),
    },
}


def cases(name: str) -> list[Any]:
    found = json.loads((VECTORS / f"wycheproof_{name}.json").read_text(encoding="utf-8"))
    assert "C2SP/wycheproof" in found["source"]
    return [pytest.param(case, id=f"tcId {case['tcId']}") for case in found["cases"]]


def raw(case: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_has_a_case(name: str) -> None:
    assert {flag for case in cases(name) for flag in case.values[0]["flags"]} == FLAGS[name]


@pytest.mark.parametrize("case", cases("hmac_flags"))
def test_our_hmac(case: dict[str, Any]) -> None:
    """The room's own HMAC construction over hashlib, whole and with any part of the message as prefix."""
    key, message, tag = raw(case, "key", "msg", "tag")
    for cut in {0, 1, len(message) // 2, len(message)}:
        made = Prf(Secret(key), message[:cut]).raw(message[cut:])
        assert hmac.compare_digest(made, tag) == (case["result"] == "valid")


@pytest.mark.parametrize("case", cases("hkdf_sha256"))
def test_hkdf(case: dict[str, Any]) -> None:
    secret, salt, info, expected = raw(case, "ikm", "salt", "info", "okm")
    if case["result"] == "invalid":
        with pytest.raises(ValueError, match="larger than"):
            HKDF(SHA256(), case["size"], salt, info)
    else:
        assert HKDF(SHA256(), case["size"], salt, info).derive(secret) == expected


@pytest.mark.parametrize("case", cases("aes_kwp"))
def test_key_wrapping(case: dict[str, Any]) -> None:
    key, message, wrapped = raw(case, "key", "msg", "ct")
    if case["result"] == "invalid":
        with pytest.raises(InvalidUnwrap):
            aes_key_unwrap_with_padding(key, wrapped)
    else:
        assert aes_key_wrap_with_padding(key, message) == wrapped
        assert aes_key_unwrap_with_padding(key, wrapped) == message


@pytest.mark.parametrize("case", cases("chacha20_poly1305"))
def test_the_cipher_of_temporary_files(case: dict[str, Any]) -> None:
    key, nonce, aad, message, sealed, tag = raw(case, "key", "iv", "aad", "msg", "ct", "tag")
    cipher = ChaCha20Poly1305(key)
    if case["result"] == "invalid":
        with pytest.raises((InvalidTag, ValueError)):
            cipher.decrypt(nonce, sealed + tag, aad)
    else:
        assert cipher.encrypt(nonce, message, aad) == sealed + tag
        assert cipher.decrypt(nonce, sealed + tag, aad) == message
