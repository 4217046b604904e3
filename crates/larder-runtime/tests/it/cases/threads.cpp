// Thread-local variables, with and without destructors; a global with a constructor and a destructor.
#include <string>

extern "C" void note(int number);

static thread_local int counter = 40;
static thread_local long zeros[100];

extern "C" int count() {
    zeros[99] += 1;
    return counter += static_cast<int>(zeros[99]);
}

struct Local {
    std::string name = "a string too long to be kept in place, so that it is allocated";
    ~Local() { note(static_cast<int>(name.size())); }
};
static thread_local Local local;

extern "C" int local_len() { return static_cast<int>(local.name.size()); }

struct Global {
    std::string text;
    Global() : text(std::string("global ") + "constructed") { note(1); }
    ~Global() { note(2); }
};
static Global global;

extern "C" int global_len() { return static_cast<int>(global.text.size()); }
