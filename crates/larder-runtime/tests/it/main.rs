//! Loads small images that are made here byte by byte, and larger ones that the linker makes from compiled C and C++.

mod child;
mod compiled;
mod copies;
mod damage;
mod deferred;
mod guards;
mod host;
mod indirect;
mod lifetime;
mod models;
mod offers;
mod protection;
mod running;
mod small;
mod threads;
mod unwinding;
