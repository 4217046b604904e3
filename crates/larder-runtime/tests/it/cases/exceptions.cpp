// Exceptions thrown and caught on both sides of host frames, by code that the linker has made an image of.
#include <exception>
#include <stdexcept>
#include <string>

extern "C" {
int host_call(int (*function)(int), int argument);
void host_panic();
}

static int destroyed = 0;

struct Witness {
    ~Witness() { ++destroyed; }
};

extern "C" int destroyed_count() { return destroyed; }

__attribute__((noinline)) static int throw_if_odd(int number) {
    Witness witness;
    if (number & 1) throw std::runtime_error("odd " + std::to_string(number));
    return number;
}

// Thrown and caught in the image: the length of the message, or -1.
extern "C" int caught_here(int number) {
    try {
        throw_if_odd(number);
    } catch (const std::exception &error) {
        return static_cast<int>(std::string(error.what()).size());
    }
    return -1;
}

extern "C" int throw_number(int number) {
    Witness witness;
    if (number != 0) throw number;
    return 0;
}

// Thrown in the image, passed through a frame of the host, caught in the image.
extern "C" int through_the_host(int number) {
    try {
        Witness witness;
        return host_call(throw_number, number);
    } catch (int caught) {
        return caught + 1000;
    }
}

// A panic of the host passes through: only destructors run.
extern "C" void panic_through() {
    Witness witness;
    host_panic();
}

// catch (...) sees a panic, and passes it on.
extern "C" {
int panic_seen = 0;
}
extern "C" void panic_seen_and_passed_on() {
    try {
        host_panic();
    } catch (...) {
        panic_seen = 1;
        throw;
    }
}

// Calls what another image or the host offers and catches what comes out: numbers, messages, anything else.
extern "C" int catches(int (*function)(int), int argument) {
    try {
        Witness witness;
        return function(argument);
    } catch (int caught) {
        return caught + 2000;
    } catch (const std::exception &error) {
        return 3000 + static_cast<int>(std::string(error.what()).size());
    }
}

// Catches a message on its way, and throws it on.
extern "C" int rethrows(int number) {
    try {
        return throw_if_odd(number);
    } catch (const std::runtime_error &) {
        throw;
    }
}

// Throws and catches so many times.
extern "C" int throw_often(int count) {
    int caught = 0;
    while (count--) try {
            throw_number(1);
        } catch (int number) {
            caught += number;
        }
    return caught;
}

struct Base {
    virtual ~Base() = default;
};
struct Derived : Base {
    int value = 6;
};

extern "C" int cast(int which) {
    Base base;
    Derived derived;
    Base *object = which ? &derived : &base;
    auto *found = dynamic_cast<Derived *>(object);
    return found ? found->value : 0;
}

extern "C" int main(int argc, char **, char **) {
    if (argc > 1) throw argc;
    return argc;
}
