"""One API, in one file: where things stand in its responses, its policies, its endpoints, its errors."""
