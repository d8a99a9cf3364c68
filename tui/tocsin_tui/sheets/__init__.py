"""What a ticket, a host and the edge of the screen say, as lines of spans: pure, and without a screen."""
