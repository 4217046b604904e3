// A member that nobody needs, with a name that nobody has.
int nowhere();
int unused() { return nowhere(); }
