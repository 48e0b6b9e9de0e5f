"""What is said, and how: reports as text, JSON, login line and screen."""
