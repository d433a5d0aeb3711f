"""The wire protocols: each adapter turns one call into operations on parts."""
