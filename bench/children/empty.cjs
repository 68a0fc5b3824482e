// A module with nothing in it: what `require` of a peer is measured against.
