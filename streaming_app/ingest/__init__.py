"""From raw files to committed rows of event, item and quarantine: the pass in the workers, the commit in the driver."""
