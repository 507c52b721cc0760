"""Reading tables as they were."""
