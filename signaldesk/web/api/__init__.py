"""What the API does, one file per noun: plain functions from a `Call` to an answer. `routes` lists them."""
