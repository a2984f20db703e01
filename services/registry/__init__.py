"""The registry: who the people are, what was decreed about them, and where each of them stands.

Owns the vault (NIK, names, birth dates, addresses, contacts), workers and their dated standings, the scheme's eligibility,
consent, credentials, the balance of a region, rule packs and seals.
Emits `worker.*`, `selection.*`, `eligibility.*`, `consent.*`, `credential.*`, `honorarium.*`, `insurance.*`, `contact.changed`
(sealed), `rulepack.activated`, `roll.sealed`.
Hears placement (who is placed, whose offer was accepted) and notify (a no to the scheme as a whole).
"""
