"""Long work in steps, each within the time that a function has; state machines put them together."""
