"""How unlike its training an input is: chosen and calibrated by training people, computed in the graph."""
