"""What is known of a host before it is touched: what it is asked, and what its answers mean."""
