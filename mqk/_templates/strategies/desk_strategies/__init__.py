"""The desk's own strategies. What they want is a target position; whether they get it is for the policies to say."""
