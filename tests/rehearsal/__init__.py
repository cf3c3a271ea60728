"""The rehearsal of an on-sale, against the product and against servers that lie."""
