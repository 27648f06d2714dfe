"""Buying: orders and their life, payments, vouchers, and giving money back."""
