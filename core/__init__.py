"""Trickline: footage in, tricks found, clips out."""

__version__ = "0.1.0"
