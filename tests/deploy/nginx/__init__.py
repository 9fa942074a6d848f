"""nginx and its certificates: the shipped files in real nginx, certbot and an ACME authority, all on loopback."""
