"""The stores that come with bide."""
