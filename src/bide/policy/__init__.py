"""WHAT to do, pure: outcomes, conditions, delays, rules, policies and the decision."""
