"""How unlike its training an input is: chosen by people of training, computed in the graph."""
