"""A certificate for servers at 127.0.0.1, which signs itself."""

import subprocess
from pathlib import Path

from tests.programs import program


def make_certificate(certificate: Path, key: Path) -> None:
    """Write both; the certificate is also that of its authority."""
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([program("openssl"), *request, *names, *files], check=True, capture_output=True, timeout=30)
