"""Networks of components, by their names in configurations (`@architectures`)."""
