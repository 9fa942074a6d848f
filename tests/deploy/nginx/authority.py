"""An authority whose certificates are like public ones: P-256, 90 days, with every extension that scanners ask for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Certificate, key_usage, named

DAYS = 90
CLOCKS_DIFFER = timedelta(minutes=5)


class WebAuthority:
    """One that signs for host names. `ca` is the file that clients are given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), named("authority of the tests")
        certificate = self._sign(self._name, self._key.public_key(), is_authority=True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, host: str) -> Certificate:
        """Return a certificate for a host name, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(named(host), key.public_key(), is_authority=False, host=host)
        file = f"{host}-{signed.serial_number:x}"
        made = Certificate(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        made.key.write_bytes(key.private_bytes(*form))
        return made

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool, host: str | None = None
    ) -> x509.Certificate:
        now = datetime.now(UTC) - CLOCKS_DIFFER
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=DAYS))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(key_usage(signs_certificates=is_authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if host is not None:
            names, uses = x509.SubjectAlternativeName([x509.DNSName(host)]), [ExtendedKeyUsageOID.SERVER_AUTH]
            builder = builder.add_extension(names, critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        return builder.sign(self._key, hashes.SHA256())
