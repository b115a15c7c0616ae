"""What is bought: carts, receipts, returns, holds, and what a till is told of them."""
