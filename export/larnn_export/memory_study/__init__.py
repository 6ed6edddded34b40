"""A study of memory: families of networks of one size, on tasks that ask for memory."""
