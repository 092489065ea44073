"""
Certificates for the double: an authority, and what it signs, well or badly.

Needs `cryptography`, which comes with Salt.
"""

import datetime
import ipaddress
import os
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Issued:
    """A certificate with its key; `pem` and `key_pem` are texts."""

    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.key_pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        self._context = None

    def context(self):
        """The server's side of TLS with this certificate."""
        if self._context is None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "both.pem")
                with open(path, "w", encoding="utf-8") as out:
                    out.write(self.key_pem + self.pem)
                self._context.load_cert_chain(path)
        return self._context


class Authority(Issued):
    """A self-signed authority."""

    def __init__(self, name="Test authority"):
        key = ec.generate_private_key(ec.SECP256R1())
        super().__init__(_signed(_name(name), key, _name(name), key, True, [], (-1, 30)), key)

    def issue(self, names=("127.0.0.1", "localhost"), days=(-1, 30)):
        """A server certificate; `days` from now to its start and its end."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0])
        own = (self.certificate.subject, self.key)
        return Issued(_signed(subject, key, *own, False, names, days), key)


def self_signed(names=("127.0.0.1", "localhost"), days=(-1, 30)):
    """A certificate without an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Issued(_signed(_name(names[0]), key, _name(names[0]), key, False, names, days), key)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(subject, key, issuer, issuer_key, is_authority, names, days):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
