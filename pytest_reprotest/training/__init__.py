"""Training on torch: recipe to model, loss and optimizer; engines; state that is restored."""
