"""The shop's fraud model, in two versions: how it is trained, and how it judges an order."""
