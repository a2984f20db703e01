"""Vendor: who may supply (strict selection, blacklist), under which contract, out of which budget line, and with which people.

Owns vendors, budget lines and their ledger, contracts and lots, work agreements, rosters, findings and cases. Money belongs here
and nowhere else: placement sees covered seats, never an amount.

Emits `vendor.*`, `contract.*`, `budget_line.*`, `capacity.sealed`, `work_agreement.recorded` (public); `roster.reported`,
`case.opened`, `case.decided` (internal). Hears the registry (who left, exited, was merged or erased) and placement (accepted offers,
placements, seats given back).
"""
