// A module that is loaded before the clock starts.
