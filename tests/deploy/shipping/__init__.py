"""The end-to-end proof of log shipping: real rsyslogd processes with the files of deploy/logs/rsyslog. See TESTING.md."""
