"""The three tasks of Recurrent Residual Attention's paper, each a race against the LSTM."""
