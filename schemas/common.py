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
GEBOORTEJAAR = Column("geboortejaar", Kind.INTEGER, Role.QUASI, "Geboortejaar.", nullable=True)
GESLACHT = Column("geslacht", Kind.CODE, Role.QUASI, "Geslacht volgens de BRP.", nullable=True, codes="geslacht")
