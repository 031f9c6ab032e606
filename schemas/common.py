"""Columns that several registers share."""

from __future__ import annotations

from schemas.column import Column, Kind, Role

BSN = Column(
    "bsn",
    Kind.TEXT,
    Role.IDENTIFIER,
    "Burgerservicenummer; onbruikbaar wordt geleegd en geteld.",
    nullable=True,
    optional=True,
)
SKN = Column("skn", Kind.TEXT, Role.IDENTIFIER, "Strafrechtketennummer van Justid.", nullable=True, optional=True)
SKN_SOORT = Column(
    "skn_soort",
    Kind.CODE,
    Role.IDENTIFIER_KIND,
    "Soort nummer in skn: SKN (standaard) of VIP (oude rijen).",
    nullable=True,
    optional=True,
    codes="skn_soort",
)

# For fallback linking (linkage.md section 7, Persons): only under an agreement that lists them, pseudonymised at
# the source, never in a payload. A day or month of a birth date may be 00.
FALLBACK = tuple(
    Column(name, Kind.TEXT, Role.IDENTIFIER, text, nullable=True, optional=True)
    for name, text in (
        ("geboortenaam", "Geboortenaam met tussenvoegsels; alleen als de afspraak terugvalsleutels toestaat."),
        ("voorletters", "Voorletters of voornamen; alleen als de afspraak terugvalsleutels toestaat."),
        ("geboortedatum", "Geboortedatum; dag of maand mag 00 zijn; alleen voor terugvalsleutels."),
        ("postcode", "Postcode, vier cijfers met of zonder letters; alleen voor terugvalsleutels."),
    )
)
FALLBACK_TYPE = "NL:FB"  # the identifier type by which an agreement switches fallback keys on
# The keys that the source makes of them, in the order of an identity file: pseudonymize/fallback.py says of what.
FALLBACK_KEYS = ("fb_a", "fb_b", "fb_c", "fb_d", "fb_e", "fb_f", "fb_g")
GEBOORTEJAAR = Column("geboortejaar", Kind.INTEGER, Role.QUASI, "Geboortejaar.", nullable=True)
GESLACHT = Column("geslacht", Kind.CODE, Role.QUASI, "Geslacht volgens de BRP.", nullable=True, codes="geslacht")
