"""The record: SQL tables, named by what they keep."""
