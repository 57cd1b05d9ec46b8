"""How what Krew installs is made: scripts/build and scripts/manifest. See README.md."""
