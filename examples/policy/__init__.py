"""Control: a recurrent policy balances a pole on a cart whose velocities it does not see."""
