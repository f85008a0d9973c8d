"""The gallery and the script that builds it; knows free material, not models (but for the check) or pages."""
