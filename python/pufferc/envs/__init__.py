"""Environments: the pool as Gymnasium's vector and single environments, the games there are, and adapters."""
