"""A synthetic Netherlands: seeded, calibrated on published figures, with planted truth and planted errors."""
