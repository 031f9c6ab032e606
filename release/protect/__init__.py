"""Disclosure control: one system of everything published, its primary and secondary rules, and its attacker."""
