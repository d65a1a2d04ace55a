"""What stands around each environment: the contract of its calls, its exceptions, finite numbers, a trial."""
