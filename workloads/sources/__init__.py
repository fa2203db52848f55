"""Where data come from: originals by download or from a folder, and procedural stand-ins."""
