"""What device and hospital both speak: no I/O, no clock, no configuration."""
