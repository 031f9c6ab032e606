"""The one error hierarchy. Facts are typed, never free text from data; the message comes from the table below.

An error of ours can be shown, logged or stored anywhere: it is data-free by construction, because `facts`
only takes numbers, booleans, paths we made ourselves and words that look like our own names.
"""

from __future__ import annotations

import re

Fact = int | bool | str

# A fact is a name of ours: a register, column, reason code, file hash or step. Nine digits in a row are
# never such a name, so a BSN cannot be a fact even by mistake.
_NAME = re.compile(r"[A-Za-z0-9_.:,/+ -]{1,160}")
_NINE_DIGITS = re.compile(r"(?<![0-9a-f])\d{8,9}(?![0-9a-f])")


class UnsafeFact(TypeError):
    """Raised when code tries to put something that is not one of our own names into an error."""


def _safe(name: str, value: object) -> Fact:
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _NAME.fullmatch(value) and not _NINE_DIGITS.search(value):
        return value
    raise UnsafeFact(f"fact {name} is not a number or one of our names")


class KoppelError(Exception):
    """Base of every error we raise; never raised itself. `exit_code` is what `koppel` exits with."""

    exit_code = 20
    retryable = False

    def __init__(self, code: str, **facts: object) -> None:
        self.code = code
        self.facts: dict[str, Fact] = {name: _safe(name, value) for name, value in facts.items()}
        super().__init__(self.message())

    def message(self) -> str:
        """One line for people: what happened, with the facts, and what to do."""
        told = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        advice = ADVICE.get(self.code, "")
        return f"{self.code}{f' ({told})' if told else ''}{f': {advice}' if advice else ''}"


class ConfigError(KoppelError):
    """A setting, agreement or call is wrong."""

    exit_code = 10


class DeliveryError(KoppelError):
    """A delivered file or its contents cannot be accepted."""

    exit_code = 11


class KeyUnavailable(KoppelError):
    """A key is missing, unreadable, or its file is open to others."""

    exit_code = 12


class QualityGate(KoppelError):
    """The program's own accounting does not add up, or a quality limit is passed."""

    exit_code = 13


class DisclosureRefused(KoppelError):
    """A release would give away what must stay hidden."""

    exit_code = 14


class MachineError(KoppelError):
    """The machine has no space, no memory or no right to write; the same run goes on once that is mended."""

    exit_code = 15
    retryable = True


class Internal(KoppelError):
    """Anything we did not foresee: step, exception type and incident id, never its text."""

    exit_code = 20


ADVICE: dict[str, str] = {
    "unknown_engine": "choose one of the engines named here",
    "engine_folder": "a cluster needs `engine_folder`: a volume its workers see under the same path (docs/operator.md)",
    "engine_unavailable": "install `koppelpunt[sail]`, or pyspark and Java for spark, or start the cluster named there",
    "untranslatable": "an engine has no equal for what this statement does; nothing was run. Use --engine duckdb",
    "audit_broken": "the audit log was changed, cut off or written anew; nothing was added. Keep it; see docs/audit.md",
    "bad_certificate": "the certificate of deletion was changed, or was not signed by the TTP",
    "bad_receipt": "the receipt was not signed by the TTP, or its countersignature is not the supplier's",
    "bad_schema": "the file has other columns than its declaration; make the delivery again with the supplier tool",
    "stray_file": "a delivery folder holds a file that does not belong there; find out where it came from",
    "lost_ledger": "the ledger of deliveries is gone and the audit log knows of it; restore it from the backup",
    "damaged_ledger": "the ledger of deliveries cannot be read; restore it from the backup, never start an empty one",
    "bad_coverage": "the coverage file is not JSON of half-years with status and gemeenten; see docs/supplier.md",
    "bad_call": "the command was called with wrong options",
    "small_count_shown": "a count that must stay hidden would be shown; nothing was released",
    "release_schema": "a release file does not have the declared columns; nothing was released",
    "identifier_in_release": "something that identifies a person stands in a release file; nothing was released",
    "bad_public_keys": "the folder with public keys is incomplete or damaged; ask the TTP for it again",
    "gateway_refused": "a raw extract lies at the gateway, but the agreement asks for sealed deliveries; remove it",
    "outputs_changed": "a finished step's files differ from its journal; find out who changed them, then run again",
    "no_settings": "there is no settings file; name one with --config or KOPPEL_CONFIG, or run `koppel demo`",
    "bad_settings": "the settings file does not follow the schema; see docs/operator.md",
    "internal": "something unforeseen; nothing was released. Report the incident with this line",
    "server_failed": "the local Prefect server did not come up; see the operator's manual or use --direct",
    "unlisted_column": "a column is not in the register; remove it at the source or have the agreement changed",
    "missing_column": "the extract lacks a required column; ask the holder for a complete extract",
    "unreadable_file": "the file cannot be read as CSV, Parquet or XLSX; check format, encoding and separator",
    "file_too_large": "the file passes the limits for this format; deliver it as CSV or Parquet",
    "unknown_register": "choose one of the registers listed by `koppel codebook --list`",
    "unknown_agreement": "no agreement of that name; agreements are YAML files in the agreements folder",
    "contradicting_agreements": "two agreements contradict each other on the field named here; have one changed",
    "output_not_agreed": "an agreement does not allow this output, recipient or protection; nothing was published",
    "not_coarsened": "a column or value is finer than agreed; nothing was accepted or released",
    "too_coarse": "a date this linkage counts days with comes as a year only; change the agreement or the plan",
    "too_many_persons": "more different persons than the agreement allows in one delivery; refused and audited",
    "dense_numbers": "the numbers fill whole stretches of the number space, as a probe would; refused and audited",
    "bad_agreement": "the agreement file does not follow the schema; see docs/supplier.md",
    "unknown_output": "no agreement about this recipient; it is outputs/<recipient>.yaml in the agreements folder",
    "bad_output": "the output agreement does not follow the schema: list every column; see docs/researcher.md",
    "k_anonymity": "fewer persons are alike than agreed; coarsen a column of this set, or drop it",
    "agreement_expired": "the agreement is not valid on this day; no row was read",
    "agreement_mismatch": "agreement, register, keys and period do not belong together; see the field named here",
    "bad_sequence": "deliveries are numbered 1, 2, 3, ... by the supplier; give the number after your last one",
    "synthetic_refused": "synthetic numbers are accepted only under an agreement marked synthetic",
    "real_refused": "a synthetic agreement accepts no real identifier type",
    "bad_signature": "the manifest was not signed by the supplier's key; refuse the delivery and call the supplier",
    "bad_hash": "a sealed file differs from what the manifest declares; ask for the delivery again",
    "bad_manifest": "the manifest does not follow the schema; make the delivery again with the supplier tool",
    "replay": "this sequence number was accepted before; nothing was changed",
    "sequence_gap": "an earlier delivery is missing; ask the supplier for the number named here",
    "pseudonym_missing": "persons and recipient pseudonyms do not match one to one; run the recipient step again",
    "not_linked": "there are no linked tables there; run the link step first (`koppel run`), or name another folder",
    "figures_differ": "recounted figures lie outside their tolerance; look at the lines marked ! and find out why",
    "rows_lost": "a row is missing or counted twice between delivery and linkage; nothing was written",
    "mixed_domains": "pseudonyms of two domains or epochs would meet, or lack a label; convert again under one key",
    "row_count_mismatch": "rows in and rows out differ; nothing was released",
    "key_missing": "there is no such key in this folder; name the party's own folder, or see `koppel keys list`",
    "key_open": "the key file or its folder can be read by others; set 0400 on the file and 0700 on the folder",
    "key_check": "another key was used than the one expected; compare key-check tags with the other parties",
    "wrong_domain": "pseudonyms of different domains or epochs never meet in one column",
    "unsealing_failed": "the sealed file cannot be opened with this key",
    "blind_unavailable": "blind mode needs the package rbcl: install `koppelpunt[blind]`",
    "bad_element": "a point is damaged, empty or not in its one encoding; ask for the file again",
    "bad_proof": "the evaluator used another key than the one published, or an element was changed; deliver nothing",
    "bad_batch": "a proof covers 1 to 65535 elements",
    "blind_mismatch": "extract, state and answer do not belong together; make a new blind request",
    "nothing_to_blind": "the extract holds no usable identifier",
    "over_quota": "the request asks for more evaluations than the evaluator allows; agree on a higher quota first",
    "bad_label": "project, epoch and recipient are lower-case letters, digits and hyphens, 1 to 64",
    "output_exists": "the output folder is not empty; choose another one or remove it first",
    "bad_clerical": "the clerical sample is a CSV with soort, onderzocht, goed; see docs/methods.md for the kinds",
    "not_exported": "the researchers' tables of this period are not made; run `koppel run`, which makes them first",
    "not_estimated": "there are no estimates of this period; run `koppel estimate`, then publish again",
    "unknown_area_code": "linked tables hold codes of areas that are in no list of 2023; link again, then estimate",
    "unknown_area": "no area of that code; use NL, a municipality, VR.., AR.. or PV.. code of the 2023 classification",
    "estimate_unsafe": "an estimate is not rounded, has no interval or should not be shown; nothing was released",
    "canaries_missing": "the agreed canaries are not in this delivery; make it again with this version of the tool",
    "canary_mismatch": "a canary looks different in two deliveries: another K_S or another form of the number was used",
    "canary_found": "a canary stands where it may not be; nothing was released. Run `koppel scan` to see every place",
    "number_density": "a column holds far more numbers that pass the 11-proef than chance gives; nothing was released",
    "opaque_file": "a file cannot be looked through; nothing was released",
    "label_missing": "a pseudonym column carries no domain label, or another one; nothing was released",
    "store_missing": "this folder has no key store; set one up with `koppel keys store`",
    "bad_store": "store.json is damaged, or the store was described with missing parts; see docs/keys.md",
    "kek_missing": "the key-encryption key cannot be found; check the KEK folder or the systemd credential",
    "hsm_unavailable": "the PKCS#11 device refused; check module, token label and PIN file",
    "hsm_weak_key": "the device would let this key out; nothing was done with it",
    "key_not_extractable": "the key lives in a device and cannot leave it; make it with custodians to have a backup",
    "key_destroyed": "the key was destroyed and stays refused; its certificate says when, why and by whom",
    "key_exists": "there is a key of this kind already; rotate it, or destroy it first",
    "epoch_used": "this party had a key of that epoch; choose a new name for the epoch",
    "overlap_over": "the overlap of the old key is over; convert under the new epoch, and destroy the old key",
    "bad_overlap": "the last day of the overlap must be named, from today to a year ahead",
    "bad_kind": "choose link, recipient, record, sign or age; K_S is made with `koppel keys ceremony`",
    "bad_reason": "choose end-of-project, end-of-period, rotation, compromise, expiry or ceremony",
    "bad_statement": "a signed statement is damaged, or not signed by the party it names; ask that party for it again",
    "bad_roster": "the roster does not hold 2 to 16 parties with sound keys of one project and epoch",
    "ceremony_roster": "the roster differs from what the parties agreed; stop, and compare fingerprints by telephone",
    "ceremony_order": "this party has not committed yet; the steps are enrol, commit, seal, combine",
    "ceremony_incomplete": "a party's file is missing; ask that party for it",
    "ceremony_cheat": "a contribution differs from its commitment; stop, make no key, and call that party",
    "ceremony_split": "a party signed two different commitments; stop, make no key, and call that party",
    "ceremony_damaged": "a sealed contribution is not the one its party stated; ask that party for it again",
    "ceremony_changed": "files of the ceremony changed after they were used; find out who changed them",
    "ceremony_tag": "a party has another key than the others; start a new ceremony with new cards",
    "ceremony_stray": "a file lies in the relay folder that is no part of the ceremony; find out where it came from",
    "bad_custodians": "name 2 to 16 custodians, one `NAME` or `NAME age1...` a line, and a threshold of 2 or more",
    "bad_share": "a share cannot be read; ask its custodian to check the words",
    "mixed_shares": "these shares are not of one set, or one is not what it was; nothing was restored",
    "too_few_shares": "more custodians are needed to restore this key",
    "unknown_set": "this folder has no record of that set of shares; its id stands on the shares and the certificate",
    "bridge_mismatch": "the two files are not conversions of one source under two epochs",
    "bridge_expired": "the bridge is past its last day; it was deleted, with a certificate",
    "bridge_valid": "the bridge is still in use; name --early to end it before its last day",
    "bad_spec": "the release specification does not follow its schema; see docs/disclosure.md",
    "bad_boundaries": "the boundaries are no GeoJSON with the statcode of every municipality of 2023; name another",
    "tables_disagree": "sums in these tables do not add up, so nothing can be said of what they hide; repair them",
    "unprotectable": "no pattern of hidden cells protects these tables; publish fewer tables or merge categories",
    "bad_table": "the table is not a CSV in long form with one row per cell; see `koppel audit-tables --help`",
    "unsafe_tables": "a table shows small counts, or hides cells that can be computed; see the results",
    "changed_count": "a file shows another number than the protected table; nothing was released",
    "already_shown": "an earlier release showed a cell that must now stay hidden; publish at a higher level",
    "damaged_release_ledger": "the ledger of releases was changed; restore it from the backup, never start anew",
    "unknown_release": "no release of that name was recorded; see `koppel release list`",
    "other_vintage": "other data were linked since this release; signatures and sums hold, the attack was not repeated",
    "not_additive": "no rounding keeps every sum; publish fewer tables or use suppression",
    "disk_full": "no space left; nothing half-made counts. Make space, then run again: finished steps are kept",
    "not_writable": "this account cannot write or read a folder or file; mend its owner or mode, then run again",
    "out_of_memory": "the step needs more memory than it may use; raise memory_limit or MemoryMax, then run again",
    "killed": "a process of this step was killed, most often for lack of memory; see the kernel's log, then run again",
    "clock_jumped": "the clock differs too much from the last time; check it, then `koppel retain --clock-checked`",
    "server_down": "Prefect's server ended during the run; finished steps are kept: run again, or with --direct",
    "access_open": "a role's folder is another account's or open to others; see `koppel access`, then `--apply`",
    "unknown_account": "the settings name an account that this machine does not have; make it, or mend `accounts`",
    "state_newer": "a newer version of this program wrote this state; install that version, or restore the backup",
    "bad_state": "state/version.json is damaged; restore it from the backup",
    "busy": "another `koppel` or the worker is changing this TTP's state; wait until it is done, then try again",
    "port_taken": "something listens on the port of prefect_port already; stop it, or set another port",
    "serve_ended": "a part of `koppel serve` ended; see prefect/server.log and worker.log, then start it again",
    "unknown_run": "no release or run of that name is known; see state/manifests, and name a run by its id",
    "bad_record": "the record of this release in state/manifests is damaged; restore it from the backup",
    "run_newer": "a newer version of this program made that run; install that version",
    "other_format": "an older version of this program made that run; install that version beside this one",
    "other_plan": "that run followed another linkage plan; install the version of then beside this one",
    "other_code": "that run was made by other code in the rooms named; install the version of then beside this one",
    "other_versions": "what is named here had another version then; install what the lock file of then pins",
    "other_manifest": "what is named here would differ in the run's manifest; nothing was made",
    "other_input": "this file is not the one of then; put that one back, or name it in the settings",
    "text_gone": "the text of then is not in the agreements folder; put it in agreements/earlier",
    "input_gone": "it is neither in the store nor sealed in the inbox: deleted by retention, or restore the backup",
    "input_differs": "a file of this delivery is not the one of then; restore it, or begin sealed (--sealed)",
    "not_reproduced": "files differ from those of then; the list says which. Keep both, and find out why",
    "not_delivered": "no delivery of this register has been accepted yet; run its intake first",
}
