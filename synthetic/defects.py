"""The errors that are planted on purpose, one rate each (registers.md section 10). 0 switches one off."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Defects:
    """Rates between 0 and 1: share of the rows, persons or municipalities that each line names.

    Numbers in brackets are those of registers.md section 10.
    """

    # 1. Numbers, share of the rows with a BSN (or persons)
    leading_zero_lost: float = 0.30  # of the numbers that begin with 0, in files that passed a spreadsheet
    bsn_formatted: float = 0.002  # 123.456.789 or with spaces
    bsn_placeholder: float = 0.001  # zeros, nines, the textbook number
    bsn_check_digit: float = 0.001  # one digit wrong: remainder neither 0 nor 5
    bsn_test_range: float = 0.0002  # one of 2,272 RvIG test numbers
    two_bsn: float = 0.004  # persons whose registers hold two BSNs
    two_skn: float = 0.006  # persons with two SKNs that were never merged
    vip_number: float = 0.03  # 3RO and Ifzo rows of 2019-2020 on the old VIP number
    # 2. Dates and birth years
    birth_year_missing: float = 0.006
    birth_year_wrong: float = 0.005
    title_end_sentinel: float = 0.35  # unknown title ends written as 9999-12-31 instead of left empty
    end_before_begin: float = 0.002  # Ifzo rows, quarantined
    care_before_title: float = 0.04  # voorgenomen indicatiestelling makes it legal
    letter_before_indication: float = 0.05  # plaatsingsbrief before the indication was completed
    # 3. Injus
    end_notice_lost: float = 0.004  # begin without end: extra detentions whose end notice never came
    begin_twice: float = 0.010  # a second begin notice of the same detention after a transfer
    transfer_split: float = 0.012  # transfer booked as end and new begin at most one day later
    merged_municipality: float = 0.50  # notices in the half-year after a merger still on the old code
    rni_or_unknown: float = 0.004  # extra notices on 1999 (RNI) and 0000
    out_of_scope: float = 1.0  # JJI and vreemdelingenbewaring rows; JJI rows are part of the published counts
    # 4. 3RO
    request_repeated: float = 1.0  # the published 1.7 requests per person; 0 gives one request each
    gelderland: float = 0.01  # of Oost-Nederland's rows, quarantined
    # 5. Ifzo
    unrealised_attempt: float = 0.45  # attempts per indication that never became a placement
    stapelzorg: float = 0.55  # of further placements of a person in a year: a line beside the first one
    title_change: float = 0.15  # of further placements: same care under the next title
    tbs_without_end: float = 0.97
    title_end_unknown: float = 0.12  # title ends ONBEKEND, empty
    title_end_provisional: float = 0.10  # earlier rows of a title with another, provisional end
    status_not_closed: float = 0.25  # ended before 2024, still IN_ZORG and without an end
    # 6. GMSD
    half_year_split: float = 0.01  # closed on the last day of the half-year, new row the day after
    early_end_withdrawn: float = 0.004  # an end in one half-year that the next takes back (CBS 2020)
    number_reused: float = 0.30  # of new arrangements more than 183 days after a person's last one
    no_numbers: float = 0.12  # municipalities that give no toewijzingsnummer
    some_numbers: float = 0.05  # municipalities that give it for part of the rows
    not_delivered: float = 1.0  # municipalities without figures in the published table deliver nothing
    category_10: float = 0.06  # beschermd wonen, extra, booked as category 10
    centrumgemeente: float = 0.75  # residence clients whose home is another municipality of the region
    old_code: float = 0.50  # half-years after a merger delivered on the old codes
    provisional: float = 0.45  # municipalities with a provisional version of the last half-year first
    # 7. Text
    names_for_codes: float = 0.25  # Injus rows with a municipality name, a third of them an alias
    unknown_name: float = 0.06  # leave notices with a name that no list knows, quarantined
    code_zero_lost: float = 0.02  # municipality and product codes without their leading zero

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0.0 <= getattr(self, field.name) <= 1.0:
                raise ValueError(f"defect {field.name} is a rate between 0 and 1")

    @classmethod
    def none(cls) -> Defects:
        """A country without planted errors."""
        return cls(**{field.name: 0.0 for field in fields(cls)})


@dataclass(frozen=True)
class NameDefects:
    """Who is without a number, and what goes wrong in names, birth dates and postcodes; 0 switches one off.

    Shares of the people of a register; an error is the same in all rows that a register holds about a person.
    Used only where a country is made with names (country.make).
    """

    # Without BSN and SKN
    detainee_unknown: float = 0.03  # Injus: foreign detainees, and people who give no number
    client_by_name: float = 0.01  # GMSD: Wmo clients whom their municipality knows by name
    request_by_name: float = 0.01  # 3RO and Ifzo, first rows before the SKN is known
    # Names
    accents_lost: float = 0.60
    particle_behind: float = 0.30  # "Zandveld, van der"
    particle_lost: float = 0.15
    sound_alike: float = 0.05  # ij for y, k for c, a letter doubled
    typo: float = 0.02  # one letter wrong
    other_name: float = 0.03  # a partner's name or an alias instead of the name at birth
    initials_short: float = 0.40  # only the first one
    initial_wrong: float = 0.02
    # Birth date and sex
    day_month_swapped: float = 0.02
    day_month_unknown: float = 0.02  # 00-00
    year_off: float = 0.02
    # Postcode
    postcode_missing: float = 0.25
    postcode_short: float = 0.10  # four digits
    postcode_other: float = 0.15  # moved
    # People who share a name and a postcode with somebody else: no error, but hard
    family: float = 0.08

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0.0 <= getattr(self, field.name) <= 1.0:
                raise ValueError(f"defect {field.name} is a rate between 0 and 1")

    @classmethod
    def none(cls) -> NameDefects:
        """Names without errors, and everybody with the numbers they had."""
        return cls(**{field.name: 0.0 for field in fields(cls)})
