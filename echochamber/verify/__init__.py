"""What a completion is written in, what it answers, whether that is right. No torch."""
