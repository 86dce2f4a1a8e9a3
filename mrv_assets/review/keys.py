"""Reviewers' keys: the private key in a file that only its owner reads, the public key for the programme file."""

import json
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mrv_assets.audit.manual_decisions import Reviewer, public_pem
from mrv_assets.errors import DecisionRefused
from mrv_assets.lake.files import sync

MAX_BYTES = 10_000
"""Most bytes read of a private key's file, which has a few lines."""


def new_key(path: Path, name: str, role: str) -> Reviewer:
    """Make a key pair, write the private key to a new file that nobody else may read, and return the public key.

    Raises:
        DecisionRefused: When the name or role is not one plain line, or the file exists.
    """
    for field, text in (("Name", name), ("Role", role)):
        if not text or not text.isprintable() or text != text.strip() or len(text) > 200:
            raise DecisionRefused(field, text, "it is not one plain line of up to 200 characters", "Write it so")
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise DecisionRefused("Key file", str(path), "it exists already", "Name a new file") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
    return Reviewer(name=name, role=role, public_key=public_pem(key.public_key()))


def read_key(path: Path) -> Ed25519PrivateKey:
    """A reviewer's private key.

    Raises:
        DecisionRefused: When the file does not hold a private key. The message does not repeat its content.
    """
    cure = "Name the file that `mrv keys new` wrote"
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
    except OSError as error:
        raise DecisionRefused("Key file", str(path), error.strerror or "it cannot be read", cure) from None
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DecisionRefused(
            "Key file", str(path), "it does not hold a private key without a password", cure
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise DecisionRefused("Key file", str(path), "its key is not an Ed25519 key", cure)
    return key


def programme_lines(reviewer: Reviewer) -> str:
    """The lines of the programme file that name a reviewer."""
    key = "".join(f"      {line}\n" for line in reviewer.public_key.splitlines())
    # Every JSON string is a YAML string.
    name, role = (json.dumps(text, ensure_ascii=False) for text in (reviewer.name, reviewer.role))
    return f"reviewers:\n  - name: {name}\n    role: {role}\n    public_key: |\n{key}"
