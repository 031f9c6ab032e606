"""Ed25519 signatures over exact bytes: the supplier signs a manifest, anyone with the public half verifies."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pseudonymize.secret import Secret
from schemas.errors import DeliveryError

SIGNATURE_BYTES = 64


def sign(secret: Secret, message: bytes) -> bytes:
    """64-byte signature."""
    return Ed25519PrivateKey.from_private_bytes(secret.reveal()).sign(message)


def public_half(secret: Secret) -> str:
    """The public key as 64 hex digits."""
    return Ed25519PrivateKey.from_private_bytes(secret.reveal()).public_key().public_bytes_raw().hex()


def public_pem(secret: Secret) -> bytes:
    """The public key as PEM, for `openssl pkeyutl -verify -pubin -rawin`."""
    public = Ed25519PrivateKey.from_private_bytes(secret.reveal()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def verify(public: str, signature: bytes, message: bytes) -> None:
    """DeliveryError bad_signature unless the signature is of exactly these bytes under this key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise DeliveryError("bad_signature") from None


def verify_pem(public: bytes, signature: bytes, message: bytes) -> None:
    """The same with a public key as `public_pem` writes it; another kind of key is refused too."""
    try:
        key = load_pem_public_key(public)
    except ValueError:
        raise DeliveryError("bad_signature") from None
    if not isinstance(key, Ed25519PublicKey):
        raise DeliveryError("bad_signature")
    verify(key.public_bytes_raw().hex(), signature, message)
