"""Flask: where people read and administer. One module per subject; casting and live results are the front door's."""
