"""Secret managers that run: OpenBao's server, moto's AWS Secrets Manager, and stand-ins where nothing better exists.

`make secrets-test` runs these tests: the programs are in `.venv-deploy`, the libraries of the extras in the interpreter.
"""
