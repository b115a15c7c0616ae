"""The signature of a pass: detached CMS over the exact bytes of its manifest."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Signer:
    """A pass certificate with its key and its issuer, loaded once and kept."""

    certificate: "Certificate"
    key: "RSAPrivateKey"
    intermediate: "Certificate"

    def sign(self, manifest: bytes) -> bytes:
        """DER. SHA-256, the signing time added, leaf and intermediate inside.

        `Binary` matters: without it newlines become CRLF and the digest is that of another text.
        """
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

        builder = PKCS7SignatureBuilder().set_data(manifest)
        builder = builder.add_signer(self.certificate, self.key, SHA256())
        builder = builder.add_certificate(self.intermediate)
        return builder.sign(Encoding.DER, [PKCS7Options.DetachedSignature, PKCS7Options.Binary])
