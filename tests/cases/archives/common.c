int shared = 9;
