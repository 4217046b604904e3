/* An object that takes the place of a dropped function. */
long use_other(void) { return 600; }
