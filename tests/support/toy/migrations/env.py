from shared.migrating import environment

environment()
