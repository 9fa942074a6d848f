"""What people see, in Debian's Chromium, against the running system."""
