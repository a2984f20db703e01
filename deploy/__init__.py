"""How Jembatan is put on machines; `deploy.local` is the one-machine deployment."""
