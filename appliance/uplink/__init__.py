"""The role that faces the network: it carries ciphertext and signed bytes, and decides nothing."""
