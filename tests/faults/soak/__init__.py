"""Hours of live streams beside attackers: is nothing lost, and does nothing grow?"""
