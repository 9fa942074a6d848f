"""vote-app: online voting that an organiser can trust on the night it matters."""
