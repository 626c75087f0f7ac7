"""What an older model.py beside a launch script does: a second class of the same name."""
