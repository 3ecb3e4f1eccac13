"""Alerts: what people are to be told, written down first and sent afterwards."""
