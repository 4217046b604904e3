__thread int theirs = 5;
