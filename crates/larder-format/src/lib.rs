//! Every byte of Larder that outlives a process: images, keys, worker frames.
