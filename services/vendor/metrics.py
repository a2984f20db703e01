"""The business metrics of the vendor service."""

from shared.metrics import counter

VENDORS_JUDGED = counter("jembatan_vendors_judged_total", "Selections decided, by outcome.", ("outcome",))
CONTRACTS_SIGNED = counter("jembatan_contracts_signed_total", "Contracts signed and covered.")
AGREEMENTS = counter("jembatan_work_agreements_total", "Work agreements handed in, by outcome or refusing rule.", ("outcome",))
FINDINGS_OPENED = counter("jembatan_findings_opened_total", "Deviations of running contracts from the rules, by kind.", ("finding",))
SEATS_RELEASED = counter("jembatan_seats_released_total", "Seats given back by placement and taken out of contracts.")
